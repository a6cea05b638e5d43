import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type RunningService, anLcov, pushRun, readLedger, startServe, temporaryFolder } from '../support/service.ts'

/** deploy/elastic/pull/proofline.cel by mito (TEST_MITO), which evaluates it as the CEL input of Filebeat does, again while `want_more`. */

const mito = process.env['TEST_MITO'] ?? ''
const pull = join(import.meta.dirname, '../../deploy/elastic/pull')
interface Evaluated {
  events: { message: string }[] | { error: { code: string; message: string } }
  cursor?: { next: string }
  want_more: boolean
}

let service: RunningService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder('cel')
  service = await startServe({ dataDir: folder.path })
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await folder.remove()
})

/** One execution of the input: its evaluations, of which each had the cursor that the one before left. */
async function evaluate(cursor: Evaluated['cursor'], more: Record<string, string> = {}): Promise<Evaluated[]> {
  const { state } = (parse(await readFile(join(pull, 'filebeat.yml'), 'utf8')) as { 'filebeat.inputs': { state: object }[] })['filebeat.inputs'][0] ?? {} // oxfmt-ignore
  const data = join(folder.path, 'state.json')
  const given = { ...state, token: service.token, limit: '5', url: `${service.url}/v1/feed/unit`, ...more }
  await writeFile(data, JSON.stringify(cursor === undefined ? given : { ...given, cursor }))
  const { stdout } = await promisify(execFile)(mito, ['-data', data, join(pull, 'proofline.cel')])
  return printed(stdout)
}

/** JSON documents one behind the other, each indented by tabs. */
function printed(text: string): Evaluated[] {
  return text
    .split(/(?<=^})\n/m)
    .filter((one) => one.trim() !== '')
    .map((one) => JSON.parse(one) as Evaluated)
}

const messages = (list: Evaluated[]): string[] =>
  list.flatMap(({ events }) => (Array.isArray(events) ? events.map(({ message }) => message) : []))

describe("Elastic's CEL program", () => {
  it('has every record once, as the bytes that were signed, over executions that go on from what was acknowledged', async () => {
    const seen: string[] = []
    let cursor: Evaluated['cursor']
    for (let i = 0; i < 4; i++) {
      await pushRun(service, `local.cel${i}.api.unit`, anLcov(i, 4))
      const list = await evaluate(cursor)
      // Killed when Elasticsearch had acknowledged the first page only: that is where it goes on.
      const acknowledged = i === 1 ? list.slice(0, 1) : list
      seen.push(...messages(acknowledged))
      cursor = acknowledged.at(-1)?.cursor
    }
    seen.push(...messages(await evaluate(cursor)))
    const answer = await fetch(`${service.url}/v1/feed/unit?after=-1&limit=10000`, {
      headers: { authorization: `Bearer ${service.token}`, accept: 'application/x-ndjson' },
    })
    expect(seen.map((line) => `${line}\n`).join('')).toBe(await answer.text())
    expect(seen).toHaveLength((await readLedger(service, 'unit')).length)
  })

  it('keeps its place when it is refused, and says why', async () => {
    const [first] = await evaluate(undefined)
    const [refused] = await evaluate(first?.cursor, { token: 'wrong' })
    expect(refused).toMatchObject({ events: { error: { code: '401' } }, want_more: false, cursor: first?.cursor })
    const [bound] = await evaluate({ next: 'AQAA' })
    expect(bound).toMatchObject({ events: { error: { code: '400', message: expect.stringContaining('cursor_invalid') as string } } }) // oxfmt-ignore
  })

  it('is the program that filebeat.yml has', async () => {
    const { program } = (parse(await readFile(join(pull, 'filebeat.yml'), 'utf8')) as { 'filebeat.inputs': { program: string }[] })['filebeat.inputs'][0] ?? {} // oxfmt-ignore
    expect(program).toBe(await readFile(join(pull, 'proofline.cel'), 'utf8'))
  })
})
