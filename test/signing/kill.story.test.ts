import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { LedgerName } from '../../src/record/record.ts'
import { createGuard } from '../../src/signing/guard.ts'
import { connectSigner } from '../../src/signing/remote.ts'
import { createTree } from './tree.ts'

const ledger: LedgerName = 'main/unit'
const program = fileURLToPath(new URL('signer-process.ts', import.meta.url))
const tree = createTree()
let folder: string
let child: ChildProcess | undefined

beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'kill-'))))
afterEach(async () => {
  child?.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

async function start(): Promise<ChildProcess> {
  child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new Error('no stdout')
  await once(child.stdout, 'data')
  return child
}

it('case 24: a signer killed at any moment starts again and contradicts nothing that it signed', async () => {
  const client = connectSigner(join(folder, 's'))
  const notes = new Map<number, string>()
  let size = 0
  // On a machine that is busy with something else the first may be killed before they signed anything.
  for (let round = 0; round < 6 || size === 0; round++) {
    const signer = await start()
    expect((await stat(join(folder, 's'))).mode & 0o777).toBe(0o600)
    const last = await client.last(ledger)
    // Everything that left the signer was in its memory first.
    expect(last?.size ?? 0).toBeGreaterThanOrEqual(size)
    expect(last?.size ?? 0).toBeLessThanOrEqual(size + 1)
    size = last?.size ?? 0
    if (size > 0) {
      const again = await client.sign(ledger, await tree.requestAt(size, size))
      const before = notes.get(size)
      if (before === undefined) expect(again.kind).toBe('signed')
      else expect(again).toEqual({ kind: 'signed', note: before })
      const fork = await createTree('fork', size - 1).requestAt(size, size)
      expect(await client.sign(ledger, fork)).toMatchObject({ kind: 'refused', reason: 'fork' })
      expect(await client.sign(ledger, await tree.requestAt(size - 1, 0))).toMatchObject({
        kind: 'refused',
        reason: 'rollback',
      })
    }
    void sleep(40 + 17 * round).then(() => signer.kill('SIGKILL'))
    try {
      for (;;) {
        const answer = await client.sign(ledger, await tree.requestAt(size + 1, size))
        if (answer.kind !== 'signed') expect.fail(answer.kind)
        notes.set(++size, answer.note)
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable' })
    }
    if (signer.exitCode === null && signer.signalCode === null) await once(signer, 'exit')
  }
  client.close()
})

it('the guard of a living signer cannot be opened by another process, that of a killed one at once', async () => {
  const signer = await start()
  await expect(createGuard(join(folder, 'guard'))).rejects.toThrow('in use by another process')
  signer.kill('SIGSTOP')
  await expect(createGuard(join(folder, 'guard'))).rejects.toThrow('in use by another process')
  signer.kill('SIGKILL')
  await once(signer, 'exit')
  const guard = await createGuard(join(folder, 'guard'))
  guard.close()
})
