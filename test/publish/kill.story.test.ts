import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { openPublished } from '../../src/commands/log-sources.ts'
import { verifyLedger } from '../../src/commands/verify-log.ts'
import { createMemoryLog, ledger } from './memory-log.ts'

const program = fileURLToPath(new URL('publish-child.ts', import.meta.url))
const publishIn = (folder: string, killAt: number) => promisify(execFile)(process.execPath, [program, folder, String(killAt)]) // oxfmt-ignore

it('case 25: a publisher killed at any effect leaves a copy that verifies, and the next one ends with the same bytes', async () => {
  const { signal } = new AbortController()
  const log = await createMemoryLog(300)
  const root = await mkdtemp(join(tmpdir(), 'publish-kill-'))
  const verify = async (folder: string) => {
    const reading = { remembered: () => undefined, onProgress: () => {} }
    return (await verifyLedger(openPublished(folder, signal), ledger, [log.key], reading)).check
  }
  const effects = Number((await publishIn(join(root, 'whole'), -1)).stdout)
  expect(effects).toBeGreaterThan(30)
  const killed = async (at: number): Promise<void> => {
    const folder = join(root, String(at))
    await expect(publishIn(folder, at)).rejects.toMatchObject({ signal: 'SIGKILL' })
    // Before the first checkpoint there is nothing to verify; afterwards it is right, of whatever size.
    const isThere = existsSync(join(folder, ledger, 'checkpoint'))
    expect(await verify(folder)).toMatchObject({ verdict: isThere ? 'ok' : 'incomplete' })
    await publishIn(folder, -1)
    expect(await verify(folder)).toMatchObject({ verdict: 'ok', size: 300 })
    for (const path of [
      'checkpoint',
      'tile/0/000',
      'tile/0/001.p/44',
      'tile/1/000.p/1',
      'tile/entries/000',
      'tile/entries/001.p/44',
    ])
      // oxfmt-ignore
      expect(await readFile(join(folder, ledger, path))).toEqual(await readFile(join(root, 'whole', ledger, path)))
    await rm(folder, { recursive: true })
  }
  let next = 0
  const work = async (): Promise<void> => {
    while (next < effects) await killed(next++)
  }
  await Promise.all([work(), work()])
  await rm(root, { recursive: true })
}, 300_000)
