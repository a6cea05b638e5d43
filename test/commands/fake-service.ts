import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { DestinationStatus } from '../../src/api/operations.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { appendLeaves, emptyEdge, hashLeaf, rootOf, rootOfLeaves } from '../../src/log/merkle.ts'
import { inclusionProof } from '../../src/log/merkle-proof.ts'
import { sealNote } from '../../src/log/note.ts'
import { printProof } from '../../src/log/proof.ts'
import { encodeBundle, parseTilePath } from '../../src/log/tiles.ts'
import { createSigningKey, printVkey } from '../../src/log/vkey.ts'
import { encodeRecord, openRecord, type LedgerName } from '../../src/record/record.ts'

/**
 * A small service that speaks the routes which the command line calls, keeps its records in memory and signs them with a real key. It
 * obeys the same rules of repetition: the same bytes again are answered with the first receipt, other bytes with 409.
 */

export interface FakeService {
  url: string
  vkey: string
  /** Every request seen, in order: `PUT /v1/runs/...`, with what it said. */
  requests: { line: string; headers: IncomingMessage['headers']; body: Buffer; atMs: number }[]
  records: Uint8Array[]
  /** What a path answers with, whatever it is asked. */
  canned: Map<string, unknown>
  /** What GET /v1/destinations lists. */
  destinations: DestinationStatus[]
  /** What the answer to a declaration names as missing, until it is sent. */
  missingMaps: { from: string; to: string }[]
  /** What to do instead of answering, for the next requests whose line contains `match`. */
  failNext(match: string, failure: Failure, times?: number): void
  /** Appends a record by hand. */
  append(fields: Record<string, unknown>): Promise<void>
  close(): Promise<void>
}

/** `lose` stores and then drops the connection; `drop` drops it before anything is read; `hang` never answers; a number is a status without a document. */
export type Failure = 'lose' | 'drop' | 'hang' | number | { status: number; code: string; detail: string }

const ledger: LedgerName = 'main/unit'
const origin = `localhost/${ledger}`

export async function startFakeService(): Promise<FakeService> {
  const key = await createSigningKey(origin, 1, new Uint8Array(32).fill(7))
  const records: Uint8Array[] = []
  const requests: FakeService['requests'] = []
  const missingMaps: FakeService['missingMaps'] = []
  const destinations: DestinationStatus[] = []
  const canned = new Map<string, unknown>()
  const answered = new Map<string, { digest: string; answer: Record<string, unknown> }>()
  const failures: { match: string; failure: Failure }[] = []

  const leaves = (): Uint8Array => Buffer.concat(records.map(hashLeaf))
  const note = (size = records.length): Promise<string> => {
    const root = size === 0 ? rootOf(emptyEdge) : rootOf(appendLeaves(emptyEdge, leaves().subarray(0, size * 32)))
    return sealNote(printCheckpoint({ origin, size, root }), [key])
  }
  const add = (fields: Record<string, unknown>): { id: string; seq: number; recorded_at: string } => {
    const seq = records.length
    const payload = Buffer.from(JSON.stringify({ schema: 'proofline.test.v1', kind: 'part', ledger, ...fields }))
    const record = encodeRecord(payload, { ledger, seq, recordedAt: 1_795_410_000_000_000 + seq })
    records.push(record)
    const opened = openRecord(record)
    return { id: opened.id, seq, recorded_at: String(opened.fields['recorded_at']) }
  }

  const once = async (key: string, digest: string, make: () => Promise<Record<string, unknown>>, conflict: string) => {
    const before = answered.get(key)
    if (before === undefined) {
      const answer = await make()
      answered.set(key, { digest, answer })
      return json(201, answer)
    }
    return before.digest === digest
      ? json(200, before.answer)
      : problem(409, conflict, `${key} was recorded before with other content`)
  }

  const declare = (run: string, body: Buffer) => {
    const said: Record<string, unknown> = { ...(JSON.parse(body.toString()) as object) }
    // As the service does: what differs between two tries of one job is no part of what is asserted.
    for (const name of ['occurred_at', 'traceparent', 'first_parents', 'client', 'late']) delete said[name]
    return once(
      `run:${run}`,
      sha256(JSON.stringify(said)),
      async () => ({
        run,
        ledger,
        ...add({ run, ...said }),
        missing: { inventory: !answered.has('inventory'), line_maps: missingMaps },
      }),
      'run_conflict',
    )
  }
  const inventory = (body: Buffer) =>
    once(
      'inventory',
      'first one wins',
      async () => {
        const lines = body.toString().trim().split('\n')
        return { repository: 'r', commit: '0'.repeat(40), files: lines.length, records: null }
      },
      'internal',
    )
  const lineMaps = (query: URLSearchParams, body: Buffer) =>
    once(
      `line-maps:${query.toString()}`,
      'first one wins',
      async () => {
        const [from, to] = [query.get('from'), query.get('to')]
        const none = { count: 0, first: [] }
        const mapped = body.toString().split('\n').filter(Boolean).length
        const about = { repository: 'r', from, to, mapped, renamed: 0, unmapped: none, refused: none }
        return { ...about, ...add({ kind: 'comparison' }) }
      },
      'internal',
    )
  const part = (run: string, query: URLSearchParams, body: Buffer) => {
    const digest = sha256(body)
    const about = {
      run,
      part: query.get('name'),
      artifact_sha256: digest,
      bytes: body.length,
      format: 'lcov',
      definition: 'lcov.da@1',
      tool: null,
      incomplete: null,
      files: 1,
    }
    const counted = {
      records: { first: records.length, last: records.length, count: 1 },
      ranges: [[records.length, records.length]],
      totals: {
        recomputed: { files: 1, lines: { found: 2, covered: 1, partial: 0, missed: 1 } },
        declared: { lines: { found: 2, executed: 2 } },
      },
      refused: { count: 0, first: [] },
      unresolved: { count: 1, first: ['/else/where.js'] },
    }
    return once(
      `part:${run}/${query.get('name')}`,
      `${digest} ${query.toString()}`,
      async () => {
        add({ run, kind: 'coverage', part: query.get('name'), path: 'src/a.js' })
        const { id, seq, recorded_at } = add({ ...about, ...counted })
        return {
          schema: 'proofline.receipt.v1',
          ledger,
          ...about,
          ...counted,
          part_record: { id, seq },
          recorded_at,
          checkpoint: await note(),
        }
      },
      'part_conflict',
    )
  }
  const seal = (run: string, body: Buffer) => {
    const asked = JSON.parse(body.toString()) as { outcome?: string; tests?: unknown; parts?: number }
    const there = [...answered.keys()]
      .filter((key) => key.startsWith(`part:${run}/`))
      .map((key) => key.split('#')[1] ?? '')
    if (asked.parts !== undefined && there.length < asked.parts)
      return json(202, {
        run,
        ledger,
        expected: asked.parts,
        arrived: there.length,
        shards: there,
        incomplete: [],
        unknown: [],
      })
    return once(
      `end:${run}`,
      sha256(body),
      async () => {
        const { outcome = 'completed', tests = null } = asked
        const about = {
          run,
          kind: 'seal',
          admitted: tests !== null,
          reasons: tests === null ? ['tests_unknown'] : [],
          outcome,
          tests,
          parts: there.length,
          records: { first: 0, last: records.length - 1, count: records.length },
          root: Buffer.from(rootOfLeaves(leaves())).toString('hex'),
          totals: [],
        }
        return { schema: 'proofline.receipt.v1', ledger, ...about, ...add(about), checkpoint: await note() }
      },
      'seal_conflict',
    )
  }

  const feed = (query: URLSearchParams) => {
    const start = query.get('cursor') ?? query.get('after')
    if (start === null) return problem(400, 'start_required', 'say where to begin')
    const from = query.has('cursor') ? Number(start.slice(1)) : Number(start) + 1
    const page = records.slice(from, from + Number(query.get('limit') ?? 1000))
    const link = `</v1/feed/unit?cursor=c${from + page.length}>; rel="next"`
    return {
      status: 200,
      headers: { link, 'content-type': 'application/x-ndjson' },
      body: Buffer.concat(page.flatMap((record) => [record, Buffer.from('\n')])),
    }
  }
  const proofOf = async (id: string) => {
    const index = records.findIndex((record) => openRecord(record).id === id)
    const hashes = await inclusionProof(index, records.length, async (nodes) =>
      nodes.map((node) =>
        rootOfLeaves(leaves().subarray(node.index * 2 ** node.height * 32, (node.index + 1) * 2 ** node.height * 32)),
      ),
    )
    return { status: 200, body: Buffer.from(printProof({ index, hashes, checkpoint: await note() })) }
  }
  const tile = (path: string) => {
    const found = parseTilePath(path)
    if (found === undefined || (found.level !== 'entries' && found.level !== 0)) return problem(404, 'not_found', path)
    const [first, end] = [found.index * 256, found.index * 256 + found.width]
    return {
      status: 200,
      body: Buffer.from(
        found.level === 0 ? leaves().subarray(first * 32, end * 32) : encodeBundle(records.slice(first, end)),
      ),
    }
  }

  const answer = async (request: IncomingMessage, url: URL, body: Buffer): Promise<Reply> => {
    const { pathname: path, searchParams: query } = url
    const [, run = '', what = ''] = /^\/v1\/runs\/([^/]+)(?:\/(.*))?$/.exec(path) ?? []
    if (run !== '') {
      if (what === '') return declare(run, body)
      if (what === 'inventory') return inventory(body)
      if (what === 'line-maps') return lineMaps(query, body)
      return what === 'parts' ? part(run, query, body) : seal(run, body)
    }
    const record = /^\/v1\/records\/([^/]+?)(\/proof)?$/.exec(path)
    if (record !== null) {
      const found = records.find((bytes) => openRecord(bytes).id === record[1])
      if (found === undefined) return problem(404, 'not_found', path)
      return record[2] === undefined ? { status: 200, body: Buffer.from(found) } : proofOf(record[1]!)
    }
    if (path === '/v1/feed/unit') return feed(query)
    if (path === '/v1/artifacts/' + sha256('artifact')) return { status: 200, body: Buffer.from('artifact') }
    if (path === '/v1/artifacts/' + sha256('altered')) return { status: 200, body: Buffer.from('Altered') }
    if (path === '/v1/status')
      return json(200, {
        version: '1',
        org: 'main',
        as_of: `unit:${records.length}`,
        ledgers: [{ ledger, recorded: records.length, published: records.length }],
        followers: [{ name: 'splunk', ledger, next: 1, lag: 2 }],
        consumers: [],
      })
    if (canned.has(path)) return json(200, canned.get(path))
    if (path === '/v1/destinations') return json(200, { destinations })
    if (path === `/log/${ledger}/checkpoint`) return { status: 200, body: Buffer.from(await note()) }
    if (path.startsWith(`/log/${ledger}/`)) return tile(path.slice(`/log/${ledger}/`.length))
    return problem(404, 'not_found', `nothing at ${request.url}`)
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const line = `${request.method} ${request.url}`
    const atMs = Date.now()
    const at = failures.findIndex(({ match }) => line.includes(match))
    const failure = at < 0 ? undefined : failures.splice(at, 1)[0]?.failure
    if (failure === 'drop') return void request.socket.destroy()
    const raw = await buffer(request)
    const body =
      request.headers['content-encoding'] === 'zstd'
        ? zstdDecompressSync(raw)
        : request.headers['content-encoding'] === 'gzip'
          ? gunzipSync(raw)
          : raw
    requests.push({ line, headers: request.headers, body, atMs })
    if (failure === 'hang') return
    if (typeof failure === 'number') return void response.writeHead(failure).end('<html>a proxy</html>')
    if (typeof failure === 'object') return send(response, problem(failure.status, failure.code, failure.detail))
    const reply = await answer(request, new URL(request.url ?? '/', 'http://localhost'), body)
    if (failure === 'lose') return void request.socket.destroy()
    send(response, reply)
  }
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => send(response, problem(500, 'internal', String(error))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    vkey: printVkey(key),
    requests,
    missingMaps,
    destinations,
    canned,
    records,
    failNext: (match, failure, times = 1) =>
      void failures.push(...Array.from({ length: times }, () => ({ match, failure }))),
    append: async (fields) => void add(fields),
    close: () => closeServer(server),
  }
}

interface Reply {
  status: number
  headers?: Record<string, string>
  body: Buffer
}

const json = (status: number, value: unknown): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
})
const problem = (status: number, code: string, detail: string): Reply => ({
  ...json(status, { status, code, detail }),
  headers: { 'content-type': 'application/problem+json' },
})
export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, headers).end(body)
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
