import { describe, expect, it } from 'vitest'
import { verifyLedger } from '../../src/commands/verify-log.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { rootOfLeaves } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import type { LedgerName } from '../../src/record/record.ts'
import type { LogSource } from '../../src/verify/log-source.ts'

/** A log of three leaves whose records are said to be gone, by whoever serves it. */
async function aLogWithoutRecords(ledger: LedgerName) {
  const key = await createSigningKey(`localhost/${ledger}`, 1, new Uint8Array(32).fill(5))
  const leaves = new Uint8Array(96).map((_, i) => i)
  const note = await sealNote(printCheckpoint({ origin: key.name, size: 3, root: rootOfLeaves(leaves) }), [key])
  const files = new Map([
    [`${ledger}/checkpoint`, new TextEncoder().encode(note)],
    [`${ledger}/tile/0/000.p/3`, leaves],
  ])
  const source: LogSource = {
    name: 'a server',
    mayBeCached: false,
    get: async (path) => files.get(path),
    isExpired: (path) => path.includes('/entries/'),
  }
  const options = { remembered: () => undefined, onProgress: () => undefined }
  return { check: async () => (await verifyLedger(source, ledger, [key], options)).check, files }
}

describe('verifyLedger, where the server says that records are gone', () => {
  it('case 41: believes it of no ledger that is kept for ever', async () => {
    for (const ledger of ['main/changes', 'main/operations'] as const) {
      const { check } = await aLogWithoutRecords(ledger)
      expect(await check()).toMatchObject({ verdict: 'differs', seq: 0, detail: expect.stringContaining('missing: expected records 0 to 2, found nothing') as string }) // oxfmt-ignore
    }
  })
})

it('a log without a checkpoint, whose key is trusted, is not called ok: an empty one has a checkpoint too', async () => {
  const { check, files } = await aLogWithoutRecords('main/unit')
  files.clear()
  expect(await check()).toMatchObject({ verdict: 'incomplete', detail: 'there is no checkpoint' })
})
