import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningService, anLcov, endOf, pushRun, readLedger, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/**
 * deploy/splunk/TA-proofline-pull under Python, spoken to as splunkd does by its documentation of modular inputs: the configuration as XML on
 * standard input, events as XML on standard output, a folder for checkpoints.
 */

const script = join(import.meta.dirname, '../../deploy/splunk/TA-proofline-pull/bin/proofline_feed.py')

let service: RunningService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder('modular')
  service = await startServe({ dataDir: join(folder.path, 'data') })
  await writeFile(join(folder.path, 'token'), `${service.token}\n`)
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
})

interface Input {
  child: ChildProcess
  /** Events that came whole. */
  events(): { record: string; time: string; sourcetype: string }[]
  log(): string
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

function configuration(root: 'input' | 'items', parameters: Record<string, string>, checkpoints: string): string {
  const params = Object.entries(parameters)
    .map(([name, value]) => `<param name="${name}">${escaped(value)}</param>`)
    .join('')
  const inner =
    root === 'input'
      ? `<configuration><stanza name="proofline_feed://unit" app="TA-proofline-pull">${params}</stanza></configuration>`
      : `<item name="unit">${params}</item>`
  return `<?xml version="1.0"?><${root}><server_host>here</server_host><server_uri>http://127.0.0.1:1</server_uri><session_key>k</session_key><checkpoint_dir>${checkpoints}</checkpoint_dir>${inner}</${root}>`
}

const parametersOf = (more: Record<string, string> = {}): Record<string, string> => ({
  url: service.url,
  ledger: 'unit',
  token_file: join(folder.path, 'token'),
  ...more,
})

function start(checkpoints: string, more: Record<string, string> = {}): Input {
  const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'pipe'] })
  let [out, log] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => (out += String(text)))
  child.stderr.setEncoding('utf8').on('data', (text) => (log += String(text)))
  child.stdin.end(configuration('input', parametersOf(more), checkpoints))
  const event = /<event stanza="proofline_feed:\/\/unit"><time>([\d.]+)<\/time><sourcetype>(.*?)<\/sourcetype><source>.*?<\/source><data>(.*?)<\/data><\/event>\n/g // oxfmt-ignore
  return {
    child,
    log: () => log,
    events: () =>
      [...out.matchAll(event)].map(([, time = '', sourcetype = '', data = '']) => ({
        record: unescaped(data),
        time,
        sourcetype,
      })),
  }
}

async function until(holds: () => boolean | Promise<boolean>, input: Input): Promise<void> {
  while (!(await holds())) {
    if (input.child.exitCode !== null) throw new Error(`it ended: ${input.log()}`)
    await sleep(20)
  }
}

const checkpointsAt = async (name: string): Promise<string> => {
  const path = join(folder.path, name)
  await mkdir(path)
  return path
}
const hasPlace = async (path: string): Promise<boolean> =>
  (await readdir(path)).some((name) => name.endsWith('.cursor'))
const idOf = ({ record }: { record: string }): string => (JSON.parse(record) as { id: string }).id

describe("Splunk's modular input", () => {
  it('describes itself, and refuses a configuration that cannot work', () => {
    expect(spawnSync('python3', [script, '--scheme'], { encoding: 'utf8' }).stdout).toMatch(/^<scheme>[^]*<streaming_mode>xml</) // oxfmt-ignore
    const validate = (more: Record<string, string>) =>
      spawnSync('python3', [script, '--validate-arguments'], { encoding: 'utf8', input: configuration('items', parametersOf(more), '/') }) // oxfmt-ignore
    expect(validate({}).status).toBe(0)
    for (const [more, why] of [
      [{ url: 'http://proofline.example.com' }, 'in the clear'],
      [{ ledger: 'all' }, 'one of unit'],
    ] as const)
      expect(validate(more)).toMatchObject({ status: 1, stdout: expect.stringContaining(why) as string })
  })

  it('has every record, in order, as the bytes that were signed, over lives that end by SIGKILL', async () => {
    const checkpoints = await checkpointsAt('killed')
    const seen = new Map<string, string>()
    for (let life = 0; life < 5; life++) {
      await pushRun(service, `local.life${life}.api.unit`, anLcov(life, 20))
      const input = start(checkpoints)
      const known = seen.size
      // At some moment of a page, or behind it.
      await until(() => input.events().some((event) => !seen.has(idOf(event))), input)
      await sleep(life * 15)
      const ended = endOf(input.child)
      input.child.kill('SIGKILL')
      await ended
      for (const event of input.events()) seen.set(idOf(event), event.record)
      expect(seen.size).toBeGreaterThan(known)
    }
    const input = start(checkpoints)
    const all = await readLedger(service, 'unit')
    const readTo = async (): Promise<boolean> => {
      for (const event of input.events()) seen.set(idOf(event), event.record)
      return seen.size === all.length && (await hasPlace(checkpoints))
    }
    await until(readTo, input)
    input.child.kill('SIGTERM')
    await endOf(input.child)
    const answer = await fetch(`${service.url}/v1/feed/unit?after=-1&limit=10000`, {
      headers: { authorization: `Bearer ${service.token}`, accept: 'application/x-ndjson' },
    })
    expect([...seen.values()].map((line) => `${line}\n`).join('')).toBe(await answer.text())
  })

  it('begins behind its checkpoint: what it has it does not bring again, and time and sourcetype are those of the record', async () => {
    const checkpoints = await checkpointsAt('again')
    const first = start(checkpoints)
    const { length } = await readLedger(service, 'unit')
    await until(async () => first.events().length === length && (await hasPlace(checkpoints)), first)
    first.child.kill('SIGTERM')
    expect(await endOf(first.child)).toBe(0)
    const second = start(checkpoints)
    await pushRun(service, 'local.again.api.unit', anLcov(9, 1))
    await until(() => second.events().length > 0, second)
    second.child.kill('SIGTERM')
    await endOf(second.child)
    const all = await readLedger(service, 'unit')
    const events = second.events()
    expect(events.map(idOf)).toEqual(all.slice(length, length + events.length).map(({ id }) => id))
    const [event] = events
    const { recorded_at: at, kind } = JSON.parse(event?.record ?? '{}') as { recorded_at: string; kind: string }
    expect(event).toMatchObject({ sourcetype: `proofline:${kind}`, time: `${Date.parse(at.slice(0, 19) + 'Z') / 1_000}.${at.slice(20, 26)}` }) // oxfmt-ignore
  })

  it('stops, and says why, at what does not pass by itself, and never begins anew', async () => {
    const checkpoints = await checkpointsAt('refused')
    const first = start(checkpoints)
    await until(async () => await hasPlace(checkpoints), first)
    first.child.kill('SIGTERM')
    await endOf(first.child)
    const other = start(checkpoints, { kind: 'run' }) // the checkpoint is for another filter
    expect(await endOf(other.child)).toBe(1)
    expect([other.log(), other.events()]).toEqual([expect.stringContaining('cursor_invalid'), []])
  })

  it('asks again for what broke off, was too much, or went wrong over there', async () => {
    const answers: ((response: import('node:http').ServerResponse) => void)[] = [
      (response) => void response.writeHead(429, { 'retry-after': '0' }).end('{"code":"rate_limited"}'),
      (response) => void response.writeHead(503).end('<html>'),
      (response) => void response.destroy(),
      (response) => {
        response.writeHead(200, { 'content-length': '1000', 'proofline-next-cursor': 'x' })
        response.write('{"id":"half', () => response.destroy())
      },
    ]
    const asked: (string | undefined)[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url)
      const answer = answers.shift()
      if (answer !== undefined) return answer(response)
      void fetch(`${service.url}${request.url}`, { headers: { authorization: request.headers.authorization ?? '', accept: request.headers.accept ?? '' } }) // oxfmt-ignore
        .then(async (real) =>
          response
            .writeHead(real.status, { 'proofline-next-cursor': real.headers.get('proofline-next-cursor') ?? '' })
            .end(await real.text()),
        ) // oxfmt-ignore
        .catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const input = start(await checkpointsAt('broken'), {
      url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    })
    const { length } = await readLedger(service, 'unit')
    await until(() => input.events().length >= length, input)
    input.child.kill('SIGTERM')
    await endOf(input.child)
    proxy.closeAllConnections()
    await new Promise((resolve) => proxy.close(resolve))
    expect(new Set(input.events().map(idOf)).size).toBe(input.events().length)
    expect(new Set(asked.slice(0, 5)).size).toBe(1)
  })
})
