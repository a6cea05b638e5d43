import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { compose } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import type { DestinationStatus, Status } from '../api/operations.ts'
import { withQuery, type Answer } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import { printConsumers } from './consumers.ts'
import { openFeedFolder } from './feed-folder.ts'
import { printDestinations } from './destination-table.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline feed`, `status`, `artifact get`, `destinations`: reading from a service. */

export interface FeedCommand {
  cursor?: string
  after?: string
  since?: string
  until?: string
  limit?: string
  kind?: string
  repository?: string
  consumer?: string
  follow?: boolean
  cursorFile?: string
  into?: string
}

/**
 * Prints records, one a line, until there are no more, or for ever with --follow. The cursor file is written after its page is out: who
 * is stopped between the two sees that page again, and misses nothing.
 */
export async function feed(
  ledger: string,
  options: FeedCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const client = await connect()
  const { cursor, after, since, until, limit, kind, repository, consumer, cursorFile, into } = options
  if (into !== undefined && cursorFile !== undefined)
    throw new Problem('request_invalid', '--into is a position of its own: leave --cursor-file out')
  const filters = { until, limit, kind, repository, consumer, wait: options.follow === true ? 25 : undefined }
  const folder = into === undefined ? undefined : await openFeedFolder(into, ledger)
  // What is in the folder is the place; a start is for the first time.
  const begun = folder?.last
  const start = begun === undefined ? { after, since } : { after: begun }
  const given = begun === undefined ? cursor : undefined
  let at = given ?? (cursorFile === undefined ? undefined : await readCursor(cursorFile))
  try {
    for (;;) {
      const place = at === undefined ? start : { cursor: at }
      const path = withQuery(`/v1/feed/${encodeURIComponent(ledger)}`, { ...filters, ...place })
      const answer = await client.send({ method: 'GET', path, headers: { accept: 'application/x-ndjson' }, signal })
      if (answer.bytes.length > 0) await (folder?.append(answer.bytes) ?? terminal.write(answer.bytes))
      const next = nextCursor(answer, client.url)
      if (cursorFile !== undefined && next !== at) await writeCursor(cursorFile, next)
      // An empty page may be one that filters left empty: only a cursor that stands still is the end.
      if (next === at && options.follow !== true) return 0
      at = next
    }
  } catch (error) {
    if (signal.aborted) return 0 // Ctrl-C is how following ends
    throw error
  } finally {
    client.close()
    await folder?.close()
  }
}

export async function status(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const client = await connect()
  try {
    const { bytes } = await client.send({ method: 'GET', path: '/v1/status', signal })
    const api = await import('../api/operations.ts')
    const found: Status = api.status.parse(JSON.parse(bytes.toString('utf8')))
    terminal.print(found, () => printStatus(found, client.url))
    return 0
  } finally {
    client.close()
  }
}

export async function destinations(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const client = await connect()
  try {
    const { bytes } = await client.send({ method: 'GET', path: '/v1/destinations', signal })
    const api = await import('../api/operations.ts')
    const parsed: unknown = JSON.parse(bytes.toString('utf8'))
    const list: DestinationStatus[] = api.destination
      .array()
      .parse(typeof parsed === 'object' && parsed !== null && 'destinations' in parsed ? parsed.destinations : parsed)
    terminal.print(list, () => printDestinations(list))
    return 0
  } finally {
    client.close()
  }
}

/** Fetches the bytes that a part was made from; they are there under their name only when their digest is right. */
export async function artifactGet(
  sha256: string,
  options: { output?: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new Problem('request_invalid', `an artifact is named by 64 hex digits, not ${sha256}`)
  const client = await connect()
  try {
    const headers = { 'accept-encoding': 'zstd' }
    const { body: sent, headers: answered } = await client.open({
      method: 'GET',
      path: `/v1/artifacts/${sha256}`,
      headers,
      signal,
    })
    const body = answered['content-encoding'] === 'zstd' ? compose(sent, createZstdDecompress()) : sent
    const hash = createHash('sha256')
    const hashed = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        hash.update(chunk)
        yield chunk
      }
    }
    const { output } = options
    const unfinished = output === undefined ? undefined : `${output}.${process.pid}.part`
    try {
      if (unfinished === undefined) for await (const chunk of hashed()) await terminal.write(chunk)
      else await pipeline(hashed(), createWriteStream(unfinished))
      const found = hash.digest('hex')
      if (found !== sha256)
        throw new Problem('integrity', `the service sent bytes with digest ${found} for artifact ${sha256}`)
      if (unfinished !== undefined && output !== undefined) await rename(unfinished, output)
      return 0
    } catch (error) {
      if (unfinished !== undefined) await rm(unfinished, { force: true })
      if (!isBrokenOff(error)) throw error
      const why = 'the connection broke, or what is stored is not these bytes: the log of the service says which'
      throw new Problem('unavailable', `the artifact ${sha256} ended early: ${why}`, { cause: error })
    }
  } finally {
    client.close()
  }
}

/** The service ends the connection within a body that it finds to be wrong, since the status is long out. */
function isBrokenOff(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    /^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE|Z_|ZSTD_)/.test(String(error.code))
  )
}

/** The cursor in `Link: <...>; rel="next"`, which every page has. */
function nextCursor({ headers }: Answer, base: string): string {
  const links = [headers['link'] ?? []].flat().flatMap((link) => link.split(','))
  const next = links.find((link) => /;\s?rel="?next"?/.test(link))
  const target = next?.slice(next.indexOf('<') + 1, next.indexOf('>'))
  const cursor =
    target !== undefined && URL.canParse(target, base) ? new URL(target, base).searchParams.get('cursor') : null
  if (cursor === null) throw new Problem('unavailable', `${base} answers without a link to the next page`)
  return cursor
}

async function readCursor(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim() || undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined // the first time
    throw error
  }
}

async function writeCursor(file: string, cursor: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.part`
  await writeFile(unfinished, `${cursor}\n`, { flush: true })
  await rename(unfinished, file)
}

function printStatus(
  { version, org, as_of, ledgers, followers, witnesses = [], consumers }: Status,
  url: string,
): string {
  const rows = ledgers.map(({ ledger, recorded, published }) => [ledger, String(recorded), String(published)])
  const behind = followers.map(({ name, ledger, next, lag }) => [name, ledger, String(next), String(lag)])
  const cosigning = witnesses.map(({ witness, ledger, size, lag, ...one }) => [witness, ledger, String(size), String(lag), one.contradicts ? `CONTRADICTS US: ${one.detail}` : one.failing_since === null ? '' : oneLine(`fails since ${one.failing_since}: ${one.detail}`)]) // oxfmt-ignore
  return [
    `proofline ${version} at ${url}, org ${org}, as of ${as_of}\n\n`,
    printTable([['ledger', 'recorded', 'published'], ...rows]),
    ...ledgers.flatMap(({ ledger, stopped }) => printStop(ledger, stopped)),
    behind.length === 0 ? '' : `\n${printTable([['follower', 'ledger', 'next', 'lag'], ...behind])}`,
    cosigning.length === 0 ? '' : `\n${printTable([['witness', 'ledger', 'cosigned', 'lag', ''], ...cosigning])}`,
    consumers.length === 0 ? '' : `\n${printConsumers(consumers)}`,
  ].join('')
}

/** Recording stops for reasons that a person has to know; reading goes on. */
function printStop(ledger: string, stopped: unknown): string[] {
  if (typeof stopped !== 'object' || stopped === null || !('code' in stopped) || !('detail' in stopped)) return []
  return [oneLine(`recording in ${ledger} is stopped: ${String(stopped.detail)} [${String(stopped.code)}]`), '\n']
}
