import { Readable } from 'node:stream'
import { type Principal, may } from '../access/principal.ts'
import { pageJson, pageLines } from '../answers/feed-bytes.ts'
import type { Outlook } from '../answers/feed-outlook.ts'
import type { FeedQuestion } from '../answers/feed-start.ts'
import type { Feed, Page } from '../answers/feed.ts'
import type { Cursors } from '../answers/position.ts'
import { type FeedQuery, readFeed } from '../api/records.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerKind, type LedgerName, type Micros, firstGeneration, generationOf, parseRecordId, printTime, toLedgerName } from '../record/record.ts' // oxfmt-ignore
import { chooseEncoding, encodeAnswer } from './encoding.ts'
import { holdsTag } from './etag.ts'
import type { Mount } from './mount.ts'

/** `GET /v1/feed/{ledger}`: pages as NDJSON or JSON, with the headers that let dumb pollers follow and clever ones cache. */
export function mountFeed(mount: Mount, feed: Feed, cursors: Cursors): void {
  mount(readFeed, async ({ who, params, query, headers, isHead, baseUrl, signal }) => {
    demandRepository(who, query.repository)
    demandNoName(who, query.consumer)
    // Who only looks is no puller that got ahead.
    const question = toQuestion(who, params.ledger, isHead ? { ...query, consumer: undefined } : query)
    const start = await feed.resolve(question)
    const lines = /\bapplication\/(?:x-)?ndjson\b/i.test(headers.accept ?? '')
    const encoding = chooseEncoding(headers['accept-encoding'])

    // All that a full page is made of; compressed bytes depend on the compressor too. Only a full page ever got this tag, so who shows it
    // has the page, and nothing need be read to know.
    const compressor = encoding === 'identity' ? '' : process.version
    const { from, binding, notBefore } = start
    const tag = cursors.tag([
      pageVersion,
      binding,
      from,
      notBefore,
      query.limit,
      linkQuery(query),
      baseUrl,
      lines,
      encoding,
      compressor,
    ])
    const lasting = {
      etag: tag,
      'cache-control': start.fixed ? 'private, max-age=31536000, immutable' : 'private, no-cache',
      vary: 'accept, accept-encoding',
    }
    if (holdsTag(headers['if-none-match'], tag)) return { status: 304, headers: lasting }

    const linkTo = (cursor: string): string => `${baseUrl}/v1/feed/${params.ledger}?cursor=${cursor}${linkQuery(query)}`
    const type = lines ? 'application/x-ndjson' : 'application/json'
    if (isHead) {
      const outlook = await feed.outlook(question, start)
      const next = outlook.next === undefined ? undefined : cursors.print(binding, outlook.next)
      const following = next === undefined ? {} : linkHeaders(linkTo(next), next)
      const kept = outlook.isFull ? { etag: tag } : {}
      // A stream without bytes: of no body at all fastify says that GET's has none either.
      const body = Readable.from([])
      return { type, headers: { ...outlookHeaders(outlook), ...following, ...kept, vary: lasting.vary }, body }
    }

    const page = await feed.readPage(question, start, signal)
    const next = linkTo(page.nextCursor)
    const answer = await encodeAnswer(lines ? pageLines(page) : pageJson(page, next), encoding)
    const kept =
      page.short === undefined
        ? { ...lasting, 'proofline-has-more': 'true' }
        : { vary: lasting.vary, ...shortHeaders(page.short) }
    return {
      type,
      headers: { ...linkHeaders(next, page.nextCursor), ...kept, ...answer.headers },
      body: answer.body,
    }
  })
}

/** Of what a full page holds: another version gets other tags. */
const pageVersion = 2

function linkHeaders(next: string, cursor: string): Record<string, string> {
  return { link: `<${next}>; rel="next"`, 'proofline-next-cursor': cursor }
}

/** For who watches. Not for keeping: a cache may lay these beside a page that it has, and has to ask before it shows that again. */
function outlookHeaders({ waiting, lastTime, published, earliest, hasMore }: Outlook): Record<string, string> {
  return {
    'cache-control': 'private, no-cache',
    ...(hasMore === undefined ? {} : { 'proofline-has-more': String(hasMore) }),
    'proofline-waiting': String(waiting),
    'proofline-published': String(published),
    'proofline-earliest': String(earliest),
    ...(lastTime === undefined ? {} : { 'proofline-last-recorded-at': printTime(lastTime) }),
  }
}

/** NDJSON has no room for it, and everybody may rather read a header. */
function shortHeaders(short: NonNullable<Page['short']>): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'proofline-has-more': String(short.hasMore),
    'proofline-published': String(short.published),
    'proofline-earliest': String(short.earliest),
    ...(short.until === undefined ? {} : { 'proofline-until': printTime(short.until) }),
  }
}

/** A credential that is bound to repositories reads what is about one of them, and has to say which. */
function demandRepository(who: Principal, repository: string | undefined): void {
  if (may(who, 'feed', repository === undefined ? {} : { repository })) return
  throw new Problem(
    'forbidden',
    `this credential is bound to repositories: name one of them, repository=${who.repositories?.[0] ?? ''}`,
  )
}

/** A GET that moves the place of a program: a link could have whoever is signed in do that. */
function demandNoName({ method }: Principal, consumer: string | undefined): void {
  if (method === 'login' && consumer !== undefined)
    throw new Problem('forbidden', 'a session pulls under no name: consumer is for programs, which have a token')
}

function toQuestion({ org, id }: Principal, ledger: LedgerKind, query: FeedQuery): FeedQuestion {
  const { cursor, since, until, limit, wait, kind, repository, consumer } = query
  const name = toLedgerName(`${org}/${ledger}`)
  return {
    ledger: name,
    cursor,
    ...afterOf(name, query),
    since: since === undefined ? undefined : toMicros(since),
    until: until === undefined ? undefined : toMicros(until),
    limit,
    waitMs: wait * 1_000,
    kinds: kind,
    repository,
    consumer: consumer === undefined ? undefined : { name: consumer, by: id },
  }
}

/** An id names its generation itself. For callers that keep ids and would print a large number as 1.8e+06. */
function afterOf(ledger: LedgerName, { after, generation }: FeedQuery): Pick<FeedQuestion, 'after' | 'generation'> {
  if (typeof after !== 'string') return { after, generation }
  const parsed = parseRecordId(after)
  if (parsed === undefined || firstGeneration(parsed.ledger) !== ledger)
    throw new Problem('request_invalid', `after: ${after} is no record of ${ledger}`)
  return { after: parsed.seq, generation: generationOf(parsed.ledger) }
}

/** What a next link repeats beside the cursor: the filters it is bound to, and how the caller likes its pages. */
function linkQuery({ until, limit, wait, kind, repository, consumer }: FeedQuery): string {
  const kept = { limit, wait: wait === 0 ? undefined : wait, kind: kind?.join(','), repository, until, consumer }
  return Object.entries(kept)
    .map(([name, value]) => (value === undefined ? '' : `&${name}=${encodeURIComponent(value)}`))
    .join('')
}

/** An RFC 3339 time with offset, checked before, as microseconds; what is finer is rounded up, which is exact for both half-open bounds. */
function toMicros(text: string): Micros {
  const [, whole = '', fraction = '', offset = 'Z'] = /^([^.Zz+]*?)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/.exec(text) ?? []
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0')) + (/[1-9]/.test(fraction.slice(6)) ? 1 : 0)
  return Date.parse(`${whole}${offset}`) * 1_000 + micros
}
