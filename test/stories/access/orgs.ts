import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTokens } from '../../../src/access/tokens.ts'
import { type Scope, scopes } from '../../../src/access/principal.ts'
import { type FakeBulk, startFakeBulk } from '../../support/bulk.ts'
import type { TestDatabase } from '../../support/database.ts'
import { type RunningService, ask, pushRun, readLedger, startServe } from '../../support/service.ts'

/**
 * Two orgs on one database, main and rival, each with a service of its own. Both have a repository, runs, builds, deployments and a
 * destination of the same names; whatever can be called after its owner is: words that nobody else may read.
 */

export const shared = {
  repository: 'github.com/acme/payments-sharedword',
  commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
  build: 'b-1',
  deployment: 'd-1',
  destination: 'siem',
  matrixRun: 'local.matrix-1.api.unit',
  matrixCommit: 'a'.repeat(40),
  ref: 'refs/heads/main',
} as const

/** Words that only answers about one repository of one org may hold. */
export const wordsOf = (org: string): { shared: string; other: string } => ({
  shared: `${org}-payword`,
  other: `${org}-hiddenword`,
})
export const otherRepository = (org: string): string => `github.com/acme/${wordsOf(org).other}`

export interface Org {
  name: string
  service: RunningService
  elastic: FakeBulk
  facts: Facts
}

/** What is asked about: names that the service gave. */
export interface Facts {
  record: string
  artifact: string
  contract: string
  gate: string
  report: string
  letter: string
  alert: string
  hold: string
  vkey: string
  attempt: string
  run: string
  org: string
  /** A day of `unit` that is over: not the same in both orgs. */
  day: string
}

export async function startOrg(name: string, folder: string, database: TestDatabase): Promise<Org> {
  const words = wordsOf(name)
  const elastic = await startFakeBulk()
  // The first record of each ledger is refused, so that there are dead letters.
  elastic.refuse = (id) => (id.includes('.unit-0-') ? { status: 400, type: 'strict', reason: words.shared } : undefined)
  const siem = { type: 'elastic', url: elastic.url, api_key: elastic.apiKey, keeps: '400d', window_ms: 50, visible_after_ms: 0, probe_ms: { min: 100, max: 200 } } // oxfmt-ignore
  const limits = { refusals_per_minute: 1_000_000 }
  const config = { org: name, http: { limits }, watch: { alerts_every_ms: 1_000 }, destinations: { siem } }
  const file = join(folder, `${name}.yaml`)
  await writeFile(file, JSON.stringify(config))
  const dataDir = join(folder, name)
  const service = await startServe({ dataDir, databaseUrl: database.url, args: ['--config', file] })
  return { name, service, elastic, facts: await prepare(name, service) }
}

const lcovOf = (path: string): string =>
  `TN:\nSF:src/${path}.ts\n${Array.from({ length: 9 }, (_, i) => `DA:${i + 1},${i % 2}\n`).join('')}end_of_record\n`

async function prepare(org: string, service: RunningService): Promise<Facts> {
  const words = wordsOf(org)
  const put = async (path: string, method: 'PUT' | 'POST', body?: Record<string, unknown>) => {
    const answer = await ask(service, path, { method, ...(body === undefined ? {} : { body }) })
    if (answer.status >= 300) throw new Error(`${org} ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }
  const said: Record<string, unknown>[] = []
  for (const [repository, word] of [
    [shared.repository, words.shared],
    [otherRepository(org), words.other],
  ] as const) {
    const of = { repository, commit: shared.commit, build: shared.build, ref: 'refs/heads/main', suite: word }
    const text = `version: 1\nmode: observe\nrefs: [refs/heads/main]\nsuites:\n  - { name: ${word}, test_type: unit, cadence: commit }\nthresholds: { unit: { lines: 99 } }\n`
    const contract = await put('/v1/contracts', 'PUT', { repository, text, parent: 0 })
    const pushed = await pushRun(service, `local.${word}-1.${word}.unit`, lcovOf(word), of)
    if (pushed.status !== 201) throw new Error(JSON.stringify(pushed.body))
    const gate = await put('/v1/gates', 'POST', { repository, commit: shared.commit })
    await put(`/v1/deployments/${shared.deployment}`, 'PUT', { repository, environment: word, commit: shared.commit })
    const target = { kind: 'deployment', id: shared.deployment }
    await put('/v1/dispositions', 'POST', { repository, target, note: word })
    const report = await put('/v1/reports', 'POST', { repository, commit: shared.commit })
    said.push({ ...contract, gate: gate['id'], report: report['report'] ?? report['sha256'], pushed: pushed.body })
  }
  const hold = await put('/v1/holds', 'POST', { repository: shared.repository, reason: words.shared, ticket: 'T-1' })
  await ask(service, `/v1/feed/unit?cursor=earliest&consumer=${words.shared}`)
  await put(`/v1/destinations/${shared.destination}/reconcile`, 'POST')
  const [first] = said
  const [record] = await readLedger(service, 'unit', 'coverage')
  const letter = await find(service, '/v1/dead-letters', 'dead_letters')
  const alert = await find(service, '/v1/alerts', 'alerts', ({ code }) => code === 'dead_letters')
  const { keys } = (await ask(service, '/v1/keys')).body as { keys: { vkey: string }[] }
  const text = (value: unknown): string => {
    if (typeof value !== 'string') throw new Error(`${org}: a fact is missing: ${JSON.stringify(said)}`)
    return value
  }
  return {
    record: text(record?.['id']),
    artifact: text(record?.['artifact_sha256']),
    contract: text(first?.['contract']),
    gate: text(first?.['gate']),
    report: text(first?.['report']),
    letter: text(letter['letter']),
    alert: text(alert['alert']),
    hold: text(hold['hold']),
    vkey: text(keys[0]?.vkey),
    attempt: `${shared.destination}:${org}/unit:0:1`,
    run: `local.${words.shared}-1.${words.shared}.unit`,
    org,
    day: '', // none is over yet
  }
}

/** The first of a list that is meant, once there is one. */
async function find(
  service: RunningService,
  path: string,
  name: string,
  isMeant: (one: Record<string, unknown>) => boolean = () => true,
): Promise<Record<string, unknown>> {
  for (let tries = 0; tries < 400; tries++) {
    const { body } = await ask(service, path)
    const first = (body[name] as Record<string, unknown>[]).find(isMeant)
    if (first !== undefined) return first
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing came into ${path}`)
}

/** A token per scope, made as the command line makes them. */
export async function tokensOf(
  database: TestDatabase,
  org: string,
  repositories?: readonly string[],
): Promise<Record<Scope | 'all', string>> {
  const make = async (held: readonly Scope[]): Promise<string> => {
    const wish = { org, label: 'matrix', scopes: held, ...(repositories === undefined ? {} : { repositories }) }
    return (await createTokens(database.db).create(wish)).token
  }
  const [push, feed, audit, operate, all] = await Promise.all([...scopes.map((one) => make([one])), make(scopes)])
  return { push: push ?? '', feed: feed ?? '', audit: audit ?? '', operate: operate ?? '', all: all ?? '' }
}
