import { describe, expect, it } from 'vitest'
import type { Check } from '../../src/commands/verify.ts'
import { verifyLedgers } from '../../src/commands/verify-logs.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { encodeBundle, tilePath, tilesBetween } from '../../src/log/tiles.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import { encodeRecord, type LedgerName } from '../../src/record/record.ts'
import { printPayload } from '../../src/record/run.ts'
import type { LogSource } from '../../src/verify/log-source.ts'

/** A whole log as files, signed with a key of its own. */
async function aLog(files: Map<string, Uint8Array>, ledger: LedgerName, payloads: readonly Uint8Array[]) {
  const key = await createSigningKey(`localhost/${ledger}`, 1, new Uint8Array(32).fill(5))
  const at = Date.UTC(2026, 10, 23) * 1000
  const records = payloads.map((payload, seq) => encodeRecord(payload, { ledger, seq, recordedAt: at + seq }))
  const leaves = Buffer.concat(records.map(hashLeaf))
  const size = records.length
  for (const { level, index, width } of tilesBetween(0, size)) {
    const span = 256 ** level
    const nodes = Array.from({ length: width }, (_, i) => rootOfLeaves(leaves.subarray(32 * (index * 256 + i) * span, 32 * (index * 256 + i + 1) * span))) // oxfmt-ignore
    files.set(`${ledger}/${tilePath(level, index, width)}`, Buffer.concat(nodes))
    if (level === 0)
      files.set(`${ledger}/${tilePath('entries', index, width)}`, encodeBundle(records.slice(index * 256, index * 256 + width))) // oxfmt-ignore
  }
  const note = await sealNote(printCheckpoint({ origin: key.name, size, root: rootOfLeaves(leaves) }), [key])
  files.set(`${ledger}/checkpoint`, new TextEncoder().encode(note))
  return key
}

const expiry = (first_seq: number, next_seq: number, state = 'done', of = 'main/unit'): object => ({ act: 'expire', state, of, first_seq, next_seq }) // oxfmt-ignore

/** 600 records of unit, of which the source says that the first bundles are gone; and what operations has on record. */
async function verify(gone: number, onRecord: readonly object[], ledgers: readonly LedgerName[], alter?: (files: Map<string, Uint8Array>) => void): Promise<{ checks: Check[]; notes: (string | undefined)[] }> {
  const files = new Map<string, Uint8Array>()
  const runs = Array.from({ length: 600 }, (_, i) => printPayload('run', 'main/unit', { run: `r${i}` }))
  const unit = await aLog(files, 'main/unit', runs)
  const facts = [printPayload('heartbeat', 'main/operations', {}), ...onRecord.map((one) => printPayload('retention', 'main/operations', one))] // oxfmt-ignore
  const operations = await aLog(files, 'main/operations', facts)
  const paths = ['000', '001', '002.p/88'].slice(0, gone).map((end) => `main/unit/tile/entries/${end}`)
  for (const path of paths) files.delete(path)
  alter?.(files)
  const source: LogSource = { name: 'a server', mayBeCached: false, get: async (path) => files.get(path), isExpired: (path) => paths.includes(path) } // oxfmt-ignore
  const verified = await verifyLedgers(source, ledgers, [unit, operations], () => ({ remembered: () => undefined, onProgress: () => undefined })) // oxfmt-ignore
  return { checks: verified.map(({ check }) => check), notes: verified.map(({ note }) => note) }
} // oxfmt-ignore

const both = ['main/operations', 'main/unit'] as const

describe('verifyLedgers, where the source says that records are gone', () => {
  it('case 41: takes it for so where the records of retention in operations name them, in whatever order they are asked for', async () => {
    const { checks } = await verify(2, [expiry(0, 300, 'begun'), expiry(0, 200), expiry(200, 512)], both)
    expect(checks[0]).toMatchObject({ check: 'main/unit', verdict: 'ok', detail: expect.stringMatching(/^88 records, .*; 512 are gone, their retention having passed as the retention records in operations say, and/) as string }) // oxfmt-ignore
    expect(checks[1]).toMatchObject({ check: 'main/operations', verdict: 'ok' })
    // A bundle is served whole or not at all.
    const shared = await verify(2, [expiry(0, 300)], both)
    expect(shared.checks[0]).toMatchObject({ verdict: 'ok', detail: expect.stringContaining('(212 of them only in one bundle with such)') as string }) // oxfmt-ignore
  })

  it.each<[string, object[], number]>([
    ['nothing', [], 0],
    ['the first bundle only', [expiry(0, 256)], 256],
    ['only another ledger', [expiry(0, 600, 'done', 'main/integration')], 0],
    ['that months left the database', [{ ...expiry(0, 600), act: 'detach' }], 0],
  ])(
    'case 41: names the first that is not on record, and remembers nothing, where that names %s',
    async (_, onRecord, seq) => {
      const { checks, notes } = await verify(2, onRecord, both)
      expect(checks[0]).toMatchObject({ verdict: 'differs', seq, detail: expect.stringContaining(`first bad seq ${seq}: missing: expected records ${seq} to ${seq + 255}, found that a server says their retention has passed, which no retention record in operations does`) as string }) // oxfmt-ignore
      expect(notes).toEqual([undefined, expect.any(String)])
    },
  )

  it('says that it is the word of the source where operations is not verified, or is not whole', async () => {
    const said = '512 are gone, their retention having passed as a server says (verify operations with it'
    const alone = await verify(2, [], ['main/unit'])
    expect(alone.checks).toMatchObject([{ verdict: 'ok', detail: expect.stringContaining(said) as string }])
    const forged = await verify(2, [expiry(0, 512)], both, (files) => files.delete('main/operations/tile/entries/000.p/2')) // oxfmt-ignore
    expect(forged.checks).toMatchObject([{ verdict: 'ok', detail: expect.stringContaining(said) as string }, { verdict: 'differs' }]) // oxfmt-ignore
  })

  it('does not call a log whole of which nothing could be read', async () => {
    const { checks } = await verify(3, [expiry(0, 600)], both)
    expect(checks[0]).toMatchObject({
      verdict: 'incomplete',
      detail: expect.stringContaining('600 are gone') as string,
    })
  })
})
