import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { type FakeBulk, startFakeBulk } from '../support/bulk.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, aDeclaration, anLcov, ask, pushRun, readLedger, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/**
 * Every answer that names sizes is that answer for ever: asked again with them after hundreds of further runs (a thousand in
 * `npm run conformance`), it has the same bytes.
 */

let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let elastic: FakeBulk
let service: RunningService

const repository = 'github.com/acme/payments'
const runsLater = Number(process.env['PROOFLINE_AS_OF_RUNS'] ?? 300)
const commitOf = (n: number): string => n.toString(16).padStart(2, '0').repeat(20)
/** The commit with its first parents; every fifth is of a branch. */
const at = (n: number): Record<string, string> => {
  const parents = Array.from({ length: Math.min(n, 6) }, (_, i) => commitOf(n - 1 - i))
  return {
    commit: commitOf(n), ref: n % 5 === 4 ? 'refs/heads/topic' : 'refs/heads/main', committed_at: new Date(Date.UTC(2026, 0, 1 + n)).toISOString(),
    more: JSON.stringify({ parents: parents.slice(0, 1), first_parents: parents }),
  } // oxfmt-ignore
}
const kinds = [['api', 'unit'], ['core', 'unit'], ['e2e', 'integration'], ['smoke', 'integration']] as const // oxfmt-ignore

/** Runs of all suites, on both branches, of old and new commits; some do not count, some are refused, some never end. */
async function pushMore(first: number, count: number, commits: number): Promise<void> {
  let next = first
  const one = async (): Promise<void> => {
    for (let i = next++; i < first + count; i = next++) {
      const [suite, type] = kinds[i % kinds.length]!
      const run = `local.n-${i}.${suite}.${type}`
      const { more, ...of } = at((i * 7) % commits)
      const build = i % 3 === 0 ? { build: `b-${i % 20}` } : {}
      const asked = { ...of, ...build, suite, ...(i % 11 === 5 ? { tests: '0,0,0,0' } : {}), more: more! }
      if (i % 17 === 3) {
        const body = aDeclaration({ ...of, ...build, suite, test_type: type, repository })
        expect((await ask(service, `/v1/runs/${run}`, { method: 'PUT', body })).status).toBe(201)
        continue
      }
      expect((await pushRun(service, run, anLcov(i % 13), asked)).status).toBe(201)
      if (i % 29 === 7) expect((await pushRun(service, run, anLcov((i % 13) + 1), asked)).status).toBe(409)
    }
  }
  await Promise.all(Array.from({ length: 8 }, one))
}

const contract = (days: number): string => `version: 1
mode: observe
refs: [refs/heads/main]
suites:
  - { name: api, test_type: unit, cadence: commit }
  - { name: e2e, test_type: integration, cadence: ${days}d }
`
const register = async (days: number, parent: number): Promise<void> => {
  const body = { repository, text: contract(days), parent }
  expect((await ask(service, '/v1/contracts', { method: 'PUT', body })).status).toBe(201)
}

/** What people decide, where the service has routes for it. */
async function decide(n: number): Promise<void> {
  const has = (name: string): boolean => routes.some((route) => route.name === name)
  const put = async (path: string, method: 'PUT' | 'POST', body: Record<string, unknown>): Promise<void> =>
    expect([200, 201]).toContain((await ask(service, path, { method, body })).status)
  if (has('decideGate')) await put('/v1/gates', 'POST', { repository, commit: commitOf(n) })
  if (has('putDeployment'))
    await put(`/v1/deployments/d-${n}`, 'PUT', { repository, environment: 'production', commit: commitOf(n) })
  if (has('dispose'))
    await put('/v1/dispositions', 'POST', { repository, target: { kind: 'deployment', id: `d-${n}` }, note: 'known' })
}

/** For each route that takes as_of what is asked of it: a new one that is not here fails the first test below. */
let facts: { record: string; attempt: string }
const questions: Readonly<Record<string, () => string[]>> = {
  lineHistory: () => [`/v1/history/lines?repository=${repository}&path=src/file0.ts&line=1-20`, `/v1/history/lines?repository=${repository}&path=src/file1.ts&line=3&ref=refs/heads/topic`], // oxfmt-ignore
  fileHistory: () => [`/v1/history/files?repository=${repository}&path=src/file0.ts`],
  gaps: () => [`/v1/gaps?repository=${repository}`, `/v1/gaps?repository=${repository}&ref=refs/heads/topic`],
  repositories: () => ['/v1/repositories?limit=10', '/v1/repositories?silent=1h'],
  recordLineage: () => [`/v1/lineage/record/${facts.record}`],
  runLineage: () => ['/v1/lineage/run/local.n-0.api.unit'],
  buildLineage: () => ['/v1/lineage/build/b-0'],
  commitLineage: () => [`/v1/lineage/commit/${commitOf(0)}`, `/v1/lineage/commit/${commitOf(7).slice(0, 8)}`],
  deploymentLineage: () => (routes.some(({ name }) => name === 'putDeployment') ? ['/v1/lineage/deployment/d-3'] : []),
  attemptLineage: () => [`/v1/lineage/attempt/${encodeURIComponent(facts.attempt)}`],
  coverageReport: () => [
    `/v1/reports/coverage?repository=${repository}&commit=${commitOf(3)}`,
    `/v1/reports/coverage?repository=${repository}&build=b-0`,
    ...(routes.some(({ name }) => name === 'putDeployment') ? [`/v1/reports/coverage?repository=${repository}&deployment=d-3`] : []),
  ],
  difference: () => [
    `/v1/reports/difference?repository=${repository}&a=commit:${commitOf(0)}&b=commit:${commitOf(3)}`,
    `/v1/reports/difference?repository=${repository}&a=build:b-0&b=commit:${commitOf(1)}`,
  ],
  listGates: () => [`/v1/gates?repository=${repository}`],
  listDeployments: () => [`/v1/deployments?repository=${repository}`],
  listDispositions: () => [`/v1/dispositions?repository=${repository}`],
} // oxfmt-ignore

const asked = routes.filter(({ method, query }) => method === 'GET' && 'as_of' in query.shape)
const withAsOf = (path: string, asOf: string): string => `${path}${path.includes('?') ? '&' : '?'}as_of=${asOf}`
/** Where something was sent is told as it is now, and stands last. */
const standing = (text: string): string => text.replace(/,"deliveries":\{"observed_at":.*\}$/, '')

interface Told {
  path: string
  asOf: string
  text: string
}

async function askAll(): Promise<Told[]> {
  const told: Told[] = []
  for (const path of asked.flatMap(({ name }) => questions[name]?.() ?? [])) {
    const { status, text, body } = await ask(service, path)
    expect(`${path}: ${status} ${status === 200 ? '' : text}`).toBe(`${path}: 200 `)
    told.push({ path, asOf: String(body['as_of']), text: standing(text) })
  }
  return told
}

const start = async (): Promise<RunningService> =>
  startServe({ dataDir: join(folder.path, 'data'), databaseUrl: database.url, args: ['--config', join(folder.path, 'proofline.yaml')] }) // oxfmt-ignore

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('as-of')
  elastic = await startFakeBulk()
  const elk = { type: 'elastic', url: elastic.url, api_key: elastic.apiKey, keeps: '400d', window_ms: 50 }
  await writeFile(join(folder.path, 'proofline.yaml'), JSON.stringify({ destinations: { elk } }))
  service = await start()
  await register(2, 0)
  await pushMore(0, 60, 12)
  await decide(3)
  const [record] = await readLedger(service, 'unit', 'coverage')
  facts = { record: String(record?.['id']), attempt: 'elk:main/unit:0:1' }
  for (let tries = 0; tries < 200; tries++) {
    if ((await ask(service, questions['attemptLineage']!()[0]!)).status === 200) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}, 180_000)
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await elastic.close()
  await folder.remove()
  await database.drop()
})

describe('as_of', () => {
  it('is asked of every route that takes it', () => {
    expect(asked.map(({ name }) => name).filter((name) => questions[name] === undefined)).toEqual([])
    expect(asked.length).toBeGreaterThan(9)
  })

  it('gives every answer again, byte for byte, after many more runs, and to a service that was started anew', async () => {
    const before = await askAll()
    await register(3, 1)
    await pushMore(60, runsLater, 40)
    await decide(3)
    await decide(8)
    const later = await askAll()
    for (const restarted of [false, true]) {
      if (restarted) {
        service.signal('SIGTERM')
        await service.ended
        service = await start()
      }
      for (const { path, asOf, text } of before) {
        const again = await ask(service, withAsOf(path, asOf))
        expect(`${path} ${standing(again.text)}`).toBe(`${path} ${text}`)
      }
    }
    // What was recorded since is in the answers of today: else nothing was shown above.
    const same = later.filter(({ text, asOf }, i) => text.replace(asOf, '') === before[i]!.text.replace(before[i]!.asOf, ''))
    const fixed = ['record', 'run', 'attempt'].map((kind) => `/v1/lineage/${kind}/`)
    expect(same.map(({ path }) => path).filter((path) => !fixed.some((one) => path.startsWith(one)))).toEqual([])
  }, 600_000) // oxfmt-ignore
})
