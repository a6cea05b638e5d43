import { createHash } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Answer, Meter } from './meter.ts'

/** What CI, SIEMs and auditors do all day, over the public routes only. */

export interface Load {
  /** One push of one run, in one of the ways there are. */
  push(): Promise<void>
  /** The next page of a ledger's feed; what comes must follow what came. */
  pull(ledger: 'unit' | 'integration' | 'changes' | 'operations'): Promise<void>
  /** One question about what was pushed. */
  ask(): Promise<void>
  /** Contracts, before anything else. */
  prepare(): Promise<void>
  /** Records of the feed so far. */
  pulled(): number
}

interface Repository {
  name: string
  commits: string[]
  /** Ids of records that were seen in the feed. */
  records: string[]
  builds: number
}

export function createLoad(service: { url: string; token: string }, meter: Meter, random: () => number): Load {
  const repositories: Repository[] = ['payments', 'ledger', 'web'].map((name) => ({ name: `github.com/acme/${name}`, commits: [], records: [], builds: 0 })) // oxfmt-ignore
  const positions = new Map<string, { cursor: string | undefined; seq: number }>()
  let pushes = 0
  let pulled = 0
  const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)]
  const below = (n: number): number => Math.floor(random() * n)

  const send = async (method: string, path: string, body?: Uint8Array | object, headers: Record<string, string> = {}): Promise<Answer> => {
    const isBytes = body === undefined || body instanceof Uint8Array
    const answer = await fetch(`${service.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${service.token}`, ...(isBytes ? {} : { 'content-type': 'application/json' }), ...headers },
      body: isBytes ? (body as RequestInit['body']) ?? null : JSON.stringify(body),
      signal: AbortSignal.timeout(120_000),
    })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  } // oxfmt-ignore

  const nextCommit = (repository: Repository): string => {
    const commit = createHash('sha1').update(`${repository.name}${repository.commits.length}`).digest('hex')
    repository.commits.push(commit)
    return commit
  }

  /** Files whose states change a little from commit to commit, as real ones do. */
  const report = (repository: Repository, files: number): Buffer => {
    const age = repository.commits.length
    const sections = Array.from({ length: files }, (_, file) => {
      const changes = Math.floor((age + file) / 40)
      const lines = Array.from({ length: 20 + (file % 60) }, (_line, line) => `DA:${line + 1},${(line * 7 + file * 13 + changes) % 4}\n`) // oxfmt-ignore
      return `SF:src/file${file}.ts\n${lines.join('')}end_of_record\n`
    })
    return Buffer.from(`TN:\n${sections.join('')}`)
  }

  const encode = (bytes: Buffer): [Uint8Array, Record<string, string>] => {
    const way = below(3)
    if (way === 0) return [bytes, {}]
    return way === 1 ? [gzipSync(bytes), { 'content-encoding': 'gzip' }] : [zstdCompressSync(bytes), { 'content-encoding': 'zstd' }]
  } // oxfmt-ignore

  const parts = async (run: string, declared: object, reports: readonly Buffer[]): Promise<void> => {
    if ((await meter.request('declare', [200, 201], () => send('PUT', `/v1/runs/${run}`, declared))) === undefined) return
    for (const [i, bytes] of reports.entries()) {
      const [body, headers] = encode(bytes)
      const path = `/v1/runs/${run}/parts?name=part-${i}.info`
      if ((await meter.request('part', [200, 201], () => send('PUT', path, body, headers))) === undefined) return
    }
    const end = { outcome: 'completed', tests: { total: 9, passed: 9, failed: 0, skipped: 0 } }
    await meter.request('seal', [200, 201], () => send('PUT', `/v1/runs/${run}/seal`, end))
  } // oxfmt-ignore

  return {
    pulled: () => pulled,

    async prepare() {
      const text = 'version: 1\nrefs: [refs/heads/main]\nsuites: [{name: api, test_type: unit}, {name: api, test_type: integration}]\nthresholds: {unit: {lines: 10}}\n' // oxfmt-ignore
      for (const { name } of repositories)
        await meter.request('contract', [200, 201], () => send('PUT', '/v1/contracts', { repository: name, text, parent: 0 })) // oxfmt-ignore
    },

    async push() {
      const repository = pick(repositories)
      if (repository === undefined) return
      const n = ++pushes
      const test_type = n % 3 === 0 ? 'integration' : 'unit'
      const isNew = repository.commits.length === 0 || random() < 0.6
      const parents = repository.commits.slice(-3).toReversed()
      const commit = isNew ? nextCommit(repository) : (repository.commits.at(-1) ?? '')
      const run = `local.soak-${n}.api.${test_type}`
      const common = { repository: repository.name, test_type, suite: 'api', commit, ref: 'refs/heads/main' }
      const declared = isNew ? { ...common, parents: parents.slice(0, 1), first_parents: parents } : common
      const size = random() < 0.02 ? 2_000 : 1 + below(80)
      if (random() < 0.3) return parts(run, { ...declared, build: `b-${++repository.builds}` }, [report(repository, size), report(repository, 1 + below(10))]) // oxfmt-ignore
      const query = new URLSearchParams({ ...common, run, name: 'lcov.info', tests: '9,9,0,0' })
      const [body, headers] = encode(report(repository, Math.min(size, 80)))
      const push = () => send('POST', `/v1/push?${query.toString()}`, body, headers)
      const first = await meter.request('push', [200, 201], push)
      // CI repeats what it lost the answer of, and now and then sends something else under the same name.
      if (random() < 0.1) {
        const again = await meter.request('push again', [200], push)
        if (first !== undefined && again !== undefined && receiptOf(again) !== receiptOf(first)) meter.wrong('another receipt', again.text) // oxfmt-ignore
      }
      if (random() < 0.05) {
        const other = Buffer.from(`TN:\nSF:src/other${n}.ts\nDA:1,1\nend_of_record\n`)
        await meter.request('push of a conflict', [409], () => send('POST', `/v1/push?${query.toString()}`, other))
      }
    },

    async pull(ledger) {
      const at = positions.get(ledger) ?? { cursor: undefined, seq: -1 }
      positions.set(ledger, at)
      const from = at.cursor === undefined ? 'after=-1' : `cursor=${encodeURIComponent(at.cursor)}`
      const limit = [100, 1_000, 10_000][below(3)]
      const answer = await meter.request('feed', [200], () => send('GET', `/v1/feed/${ledger}?${from}&limit=${limit}&wait=1&consumer=soak`)) // oxfmt-ignore
      if (answer === undefined) return
      const page = JSON.parse(answer.text) as { records: { id: string; seq: number; repository?: string; kind: string }[]; next_cursor: string } // oxfmt-ignore
      for (const { id, seq, repository, kind } of page.records) {
        if (seq !== at.seq + 1) meter.wrong(`${ledger}: not the next record`, `${seq} after ${at.seq}`)
        at.seq = seq
        pulled += 1
        if (kind !== 'coverage' || random() > 0.05) continue
        const records = repositories.find(({ name }) => name === repository)?.records
        records?.push(id)
        if (records !== undefined && records.length > 500) records.shift()
      }
      at.cursor = page.next_cursor
    },

    async ask() {
      const { name, commits, records } = pick(repositories) ?? repositories[0]!
      const commit = pick(commits) ?? '0'.repeat(40)
      const record = pick(records)
      const of = `repository=${name}`
      const path = `path=src/file${below(80)}.ts`
      const get = (kind: string, url: string, allowed = [200, 404]) =>
        meter.request(kind, allowed, () => send('GET', url))
      const questions: (() => Promise<unknown>)[] = [
        () => get('line history', `/v1/history/lines?${of}&${path}&line=${1 + below(20)}`),
        () => get('file history', `/v1/history/files?${of}&${path}`),
        () => get('report', `/v1/reports/coverage?${of}&commit=${commit}`),
        () => get('difference', `/v1/reports/difference?${of}&a=commit:${pick(commits) ?? commit}&b=commit:${commit}`, [200, 404, 422]), // oxfmt-ignore
        () => get('gaps', `/v1/gaps?${of}`),
        () => get('repositories', '/v1/repositories', [200]),
        () => get('commit lineage', `/v1/lineage/commit/${commit}`),
        () => get('status', '/v1/status', [200]),
        () => get('destinations', '/v1/destinations', [200]),
        () => get('alerts', '/v1/alerts', [200]),
        () => get('metrics', '/metrics', [200]),
        () => get('page', '/', [200]),
        () => meter.request('gate', [200, 201, 404, 409, 422], () => send('POST', '/v1/gates', { repository: name, commit })), // oxfmt-ignore
      ]
      if (record !== undefined)
        questions.push(
          () => get('record', `/v1/records/${record}`, [200]),
          () => get('proof', `/v1/records/${record}/proof`, [200]),
          () => get('record lineage', `/v1/lineage/record/${record}`, [200]),
        )
      if (random() < 0.01) questions.splice(0, questions.length, () => meter.request('evidence', [200, 201, 404], () => send('POST', '/v1/evidence', { from: '2020-01-01T00:00:00Z', repository: name, path: 'src/file1.ts', lines: '1', sample: 2 }))) // oxfmt-ignore
      await pick(questions)?.()
    },
  }
}

/** What a repetition is answered with again. */
function receiptOf({ text }: Answer): string {
  const { part, seal } = JSON.parse(text) as { part: { part_record: { id: string } }; seal: { id: string } }
  return `${part.part_record.id} ${seal.id}`
}
