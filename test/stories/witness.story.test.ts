import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseCheckpoint } from '../../src/log/checkpoint.ts'
import { openNote, parseNote } from '../../src/log/note.ts'
import { type VerifierKey, parseVkey, printVkey } from '../../src/log/vkey.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { createLog } from '../signing/log-notes.ts'
import { cleanEnvironment, cli, endOf, runCli, temporaryFolder } from '../support/service.ts'

/** `proofline witness` as it is started: killed at any moment, it never cosigned two histories. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const running: { kill(): Promise<unknown> }[] = []

beforeEach(async () => void (folder = await temporaryFolder('witness')))
afterEach(async () => {
  for (const one of running.splice(0)) await one.kill()
  await folder.remove()
})

interface Running {
  url: string
  vkey: VerifierKey
  kill(name?: NodeJS.Signals): Promise<number | string>
}

async function start(logs: readonly string[]): Promise<Running> {
  const args = [cli, 'witness', '--json', '--state', join(folder.path, 'state'), '--listen', '127.0.0.1:0']
  const child = spawn(process.execPath, [...args, '--name', 'witness.example', ...logs.flatMap((log) => ['--log', log])], {
    cwd: folder.path,
    env: cleanEnvironment(folder.path),
    stdio: ['ignore', 'pipe', 'inherit'],
  }) // oxfmt-ignore
  const ended = endOf(child)
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk)))
    void ended.then((code) => reject(new Error(`the witness ended with ${code}`)))
  })
  const { url, vkey } = JSON.parse(line) as { url: string; vkey: string }
  const one = {
    url,
    vkey: parseVkey(vkey),
    kill: (name: NodeJS.Signals = 'SIGKILL') => {
      child.kill(name)
      return ended
    },
  }
  running.push(one)
  return one
}

/** What it shows to monitors: the largest size that it cosigned, 0 for none. */
async function shown({ url }: Running, origin: string): Promise<{ size: number; text: string }> {
  const answer = await fetch(`${url}/${sha256Hex(new TextEncoder().encode(origin))}/checkpoint`)
  if (answer.status === 404) return { size: 0, text: '' }
  const { text } = parseNote(await answer.text())
  return { size: parseCheckpoint(text).size, text }
}

it('a witness killed at any moment never cosigns two heads that contradict each other', async () => {
  const forkAt = 3
  const rounds = Number(process.env['PROOFLINE_WITNESS_ROUNDS'] ?? 4)
  const origins = Array.from({ length: rounds }, (_, i) => `localhost/round-${i}/unit`)
  const keys = await Promise.all(origins.map(async (origin) => printVkey((await createLog(origin, 1)).key)))
  let cosigned = 0
  for (const origin of origins) {
    const logs = [await createLog(origin, 1), await createLog(origin, 1, { name: 'fork', before: forkAt })] as const
    /** Texts that left the witness cosigned, of each of the two histories. */
    const texts = logs.map(() => new Map<number, string>())
    let vkey: VerifierKey | undefined

    /** Pushes one history as far as it goes: until it is refused, the witness is gone, or it has 24 records. */
    const push = async (witness: Running, which: 0 | 1): Promise<void> => {
      let from = 0
      for (let size = 1; size <= 24;) {
        const answer = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: await logs[which].request(from, size) }) // oxfmt-ignore
        const body = await answer.text()
        if (answer.status === 422) return
        if (answer.status === 409) {
          from = Number(body)
          size = Math.max(size, from)
          continue
        }
        expect(answer.status).toBe(200)
        const { text, verified } = await openNote((await logs[which].checkpoint(size)) + body, [witness.vkey])
        expect(verified).toHaveLength(1)
        texts[which]?.set(size, text)
        from = size++
      }
    }
    for (let life = 0; life < 2; life++) {
      const witness = await start(keys)
      expect(printVkey(vkey ?? witness.vkey)).toBe(printVkey(witness.vkey))
      vkey = witness.vkey
      // Everything that left it was remembered first.
      const before = await shown(witness, origin)
      const largest = Math.max(0, ...texts.flatMap((one) => [...one.keys()]))
      expect(before.size).toBeGreaterThanOrEqual(largest)
      if (before.size > 0 && before.size === largest)
        expect(texts.map((one) => one.get(largest))).toContain(before.text)
      const pushing = Promise.allSettled([push(witness, 0), push(witness, 1)])
      if (life === 0) await sleep(5 + Math.random() * 60).then(() => witness.kill())
      for (const result of await pushing)
        if (result.status === 'rejected' && !(result.reason instanceof TypeError)) throw result.reason // TypeError: the connection broke
      await witness.kill()
    }
    const beyond = texts.filter((one) => [...one.keys()].some((size) => size > forkAt))
    expect(beyond).toHaveLength(1)
    expect(beyond[0]?.get(24)).toBeDefined()
    cosigned += texts.reduce((sum, one) => sum + one.size, 0)
  }
  expect(cosigned).toBeGreaterThan(rounds * 20)
})

it('a witness says what it needs, answers what is under way when it is stopped, and leaves its folder to the next', async () => {
  const log = await createLog('localhost/main/unit', 1)
  const witness = await start([printVkey(log.key)])
  const answer = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: await log.request(0, 5) })
  expect(answer.status).toBe(200)
  const state = ['--state', join(folder.path, 'state')]
  const env = cleanEnvironment(folder.path)
  const second = await runCli(['witness', ...state, '--listen', '127.0.0.1:0', '--log', printVkey(log.key)], { env })
  expect(second.code).not.toBe(0)
  expect(second.stderr).toContain('in use by another process')
  expect(await witness.kill('SIGTERM')).toBe(0)
  for (const [args, why] of [
    [['--log', 'nonsense'], 'there is no file nonsense'],
    [['--log', printVkey(witness.vkey)], 'the key of a witness, not of a log'],
    [['--log', printVkey(log.key), '--listen', '7380'], 'an address and a port are needed'],
    [['--log', printVkey(log.key), '--name', 'a b'], 'no spaces'],
  ] as const) {
    const refused = await runCli(['witness', ...state, ...args], { env })
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(why)])
  }
  const next = await start([printVkey(log.key)])
  expect((await shown(next, log.origin)).size).toBe(5)
})
