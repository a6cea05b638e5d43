import { open, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * `node poller.ts <style> <url of the feed> <folder>`: a puller as customers write them, in a process of its own that may be killed at any
 * moment. Records are appended to `records.ndjson`; where it is, and how long that file is by then, stands in `state.json`, which is replaced
 * as one: who comes back cuts off what was appended after it. Ends, when `drain` stands in the folder, at the first page that says there is
 * no more. Token in POLLER_TOKEN.
 */

interface State {
  /** What to ask for next: a URL, a token, or where the window begins. */
  at: string
  /** Of a window that is not read to its end. */
  until?: string
  cursor?: string
  length: number
}

interface PageRead {
  lines: string[]
  state: Omit<State, 'length'>
  hasMore: boolean
}

const [style = '', base = '', folder = ''] = process.argv.slice(2)
const token = process.env['POLLER_TOKEN'] ?? ''
const limit = 20 // small pages: many places to be killed at

/** Undefined for anything but a page: the service may be going down, coming up, or gone. */
async function get(url: string, accept: string): Promise<Response | undefined> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}`, accept } }).catch(() => undefined)
  if (answer === undefined || answer.status >= 500 || answer.status === 429) return undefined
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return answer
}

const bodyOf = (answer: Response): Promise<string | undefined> => answer.text().catch(() => undefined)

/** Knows nothing but URLs: follows Link: rel="next". */
async function byLink({ at }: State): Promise<PageRead | undefined> {
  const answer = await get(at === '' ? `${base}?after=-1&limit=${limit}` : at, 'application/x-ndjson')
  const text = answer === undefined ? undefined : await bodyOf(answer)
  if (answer === undefined || text === undefined) return undefined
  const next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
  if (next === undefined) throw new Error('a page without a link')
  const hasMore = answer.headers.get('proofline-has-more') === 'true'
  return { lines: text.split('\n').slice(0, -1), state: { at: next }, hasMore }
}

interface JsonPage {
  records: Record<string, unknown>[]
  next_cursor: string
  has_more: boolean
  until?: string | null
}

async function jsonPage(query: Record<string, string>): Promise<JsonPage | undefined> {
  const answer = await get(
    `${base}?${new URLSearchParams({ limit: String(limit), ...query }).toString()}`,
    'application/json',
  )
  const text = answer === undefined ? undefined : await bodyOf(answer)
  return text === undefined ? undefined : (JSON.parse(text) as JsonPage)
}

const linesOf = ({ records }: JsonPage): string[] => records.map((record) => JSON.stringify(record))

/** Keeps the token of the body. */
async function byToken({ at }: State): Promise<PageRead | undefined> {
  const page = await jsonPage(at === '' ? { after: '-1' } : { cursor: at })
  return page && { lines: linesOf(page), state: { at: page.next_cursor }, hasMore: page.has_more }
}

/** Asks for windows of time; the next one begins where this one truly ended. */
async function byWindow({ at, until, cursor }: State): Promise<PageRead | undefined> {
  const since = at === '' ? '2020-01-01T00:00:00Z' : at
  const end = until ?? new Date(Date.now() + 3_600_000).toISOString()
  const page = await jsonPage(cursor === undefined ? { since, until: end } : { cursor, until: end })
  if (page === undefined) return undefined
  const { next_cursor: next, has_more: hasMore, until: effective } = page
  const state = hasMore ? { at: since, until: end, cursor: next } : { at: laterOf(effective ?? since, since) }
  return { lines: linesOf(page), state, hasMore }
}

/** As text: all are in UTC with six decimals but for the first, which is older than any. */
const laterOf = (a: string, b: string): string => (a > b ? a : b)

const read = { link: byLink, token: byToken, window: byWindow }[style]
if (read === undefined) throw new Error(`there is no ${style}`)

const [statePath, recordsPath] = [`${folder}/state.json`, `${folder}/records.ndjson`]
let state: State = { at: '', length: 0 }
try {
  state = JSON.parse(await readFile(statePath, 'utf8')) as State
} catch {
  // the first time
}
const file = await open(recordsPath, 'a')
await truncate(recordsPath, state.length)

for (;;) {
  const page = await read(state)
  if (page === undefined) {
    await sleep(20)
    continue
  }
  const bytes = Buffer.from(page.lines.map((line) => `${line}\n`).join(''))
  await file.appendFile(bytes)
  // Killed before this: the page is cut off and read again. Killed after: it is kept and the next one is asked for.
  state = { ...page.state, length: state.length + bytes.length }
  await writeFile(`${statePath}.new`, JSON.stringify(state))
  await rename(`${statePath}.new`, statePath)
  if (page.hasMore) continue
  if (
    await readFile(`${folder}/drain`).then(
      () => true,
      () => false,
    )
  )
    break
  await sleep(10)
}
