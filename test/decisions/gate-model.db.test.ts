import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerReport } from '../../src/answers/report.ts'
import type { Decided } from '../../src/decisions/gates.ts'
import { createProjection } from '../../src/history/projection.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { changeKeys } from '../../src/record/change-keys.ts'
import { type DispositionFields, type GateFields, dispositionPayload } from '../../src/record/changes.ts'
import { Problem } from '../../src/record/problem.ts'
import { readFiles } from '../answers/model-lines.ts'
import type { ModelRecord } from '../history/model.ts'
import { createRandom } from '../history/random-history.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { inventorySubmissions, mapSubmissions, runSubmissions } from '../support/record-runs.ts'
import { type GateService, ledgers, openGates } from './gate-service.ts'
import { type ModelGate, type PlainContract, askGateModel } from './gate-model.ts'
import { type GateWorld, holding, makeGateWorld, orgContract } from './gate-world.ts'

/**
 * Gates of random histories must decide what the model says of the same records, twice: when a part of them is there, and when all are, with
 * contracts, overrides, notes and deployments in between. PROOFLINE_GATES sets how many histories (hundreds for a long run), PROOFLINE_SEED
 * where they begin; by default each run takes others, and prints where it began.
 */
const histories = Number(process.env['PROOFLINE_GATES'] ?? 12)
const firstSeed = Number(process.env['PROOFLINE_SEED'] ?? Date.now() % 1_000_000)
const patienceMs = 120_000 + histories * 6_000

let database: TestDatabase
let gates: GateService
const going = new AbortController()
const worlds = Array.from({ length: histories }, (_, i) => makeGateWorld(firstSeed + i))
const records = new Map<string, ModelRecord[]>()
const readUpTo = [0, 0]

beforeAll(async () => {
  console.log(`gates of ${histories} histories, PROOFLINE_SEED=${firstSeed}`)
  database = await createTestDatabase()
  gates = await openGates(database.db)
}, 60_000)
afterAll(async () => {
  going.abort()
  await gates.close()
  await database.drop()
})

const repositoryOf = (i: number): string => `g${i}`

async function recordHalf(world: GateWorld, i: number, half: 0 | 1): Promise<void> {
  const repository = repositoryOf(i)
  const own = world.contracts[half]
  if (own !== undefined && (half === 0 || own !== world.contracts[0])) await register(repository, own)
  for (const [ledger, { book }] of gates.nodes.entries()) {
    const submissions: Submission[] = []
    for (const event of world.halves[half].map((index) => world.events[index]!)) {
      if (event.ledger !== ledger) continue
      if (event.kind === 'maps')
        submissions.push(...mapSubmissions(book, repository, { from: event.from, to: event.to, run: 'local.1.api.unit' }, event.maps))
      else if (event.kind === 'inventory') submissions.push(...(await inventorySubmissions(book, repository, event.commit, event.files)))
      else {
        const run = { ...event.run, run: event.run.run.replace('NAME', repository), repository }
        submissions.push(...(await runSubmissions(book, { ...run, production: productionOf(world, run.commit) })))
      }
    }
    if (submissions.length > 0) await book.appender.submit(submissions)
  }
} // oxfmt-ignore

async function register(repository: string, contract: PlainContract): Promise<void> {
  const stands = (await gates.contracts.contracts.contractAt(repository)).own
  await gates.contracts.register(gates.who, {
    repository,
    text: JSON.stringify(contract),
    parent: stands?.contract_version ?? 0,
  })
}

/** What seals say of the production files, by a contract of src/**: not always the one that holds. */
function productionOf({ events }: GateWorld, commit: string): string | undefined {
  const inventory = events.find((event) => event.kind === 'inventory' && event.commit === commit)
  if (inventory?.kind !== 'inventory') return undefined
  const files = Object.entries(inventory.files).filter(([path]) => path.startsWith('src/')).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(files.map(([path, blob]) => `${path}\0${blob}\n`).join('')).digest('hex')
} // oxfmt-ignore

/** Projects what came, and reads it for the model. */
async function catchUp(): Promise<void> {
  const { db } = database
  for (const [i, ledger] of ledgers.slice(0, 2).entries()) {
    const { reader } = gates.nodes[i]!
    const size = (await reader.published(ledger))?.size ?? 0
    await createProjection({ db, reader, readList: async () => undefined }, ledger).catchUp(size, going.signal)
    for (let next = readUpTo[i]!; next < size; readUpTo[i] = next) {
      const batch = await reader.readBatch(ledger, next)
      for (const { seq, recordedAt, id, bytes } of batch.records) {
        const fields = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
        const repository = fields['repository'] as string
        records.set(repository, [...(records.get(repository) ?? []), { ledger, seq, recordedAt, id, fields }])
      }
      next = batch.next
    }
  }
}

/** What was said of a subject last. */
interface Said {
  id: string
  verdict: string
  restsOn: string
  says: string
  override: string | null
}
const said = new Map<string, Said>()
/** Of a commit, whatever build was named. */
const newest = new Map<string, Said>()
const seen: Record<string, number> = {}
const count = (what: string): void => void (seen[what] = (seen[what] ?? 0) + 1)

/** In the form of the model. */
function printGate(fields: GateFields) {
  const checks = listOf(fields.checks, fields.checks_digest)
  const missing = listOf(fields.missing, fields.missing_digest)
  return {
    verdict: fields.verdict,
    reasons: fields.reasons,
    checks: checks.map((one) => [one.limit, one.test_type, one.suite ?? null, one.definition, one.wanted, one.executed, one.found, one.met]),
    missing: missing.map((one) => `${one.test_type}/${one.suite} (${one.owner ?? ''}): ${one.reason}`),
    counted: fields.counted,
    base: fields.base,
  }
} // oxfmt-ignore

/** What did not fit the record lies in the artifact store. */
function listOf<T>(shown: readonly T[], digest: GateFields['checks_digest']): readonly T[] {
  if (digest === undefined) return shown
  count('cut')
  const lines = Buffer.from(gates.contracts.kept.get(digest.sha256)!).toString().trimEnd().split('\n')
  expect(lines).toHaveLength(digest.count)
  return lines.map((line) => JSON.parse(line) as T)
}

async function decide(offer: { repository: string; commit?: string; build?: string; base?: string }): Promise<Decided | 'refused'> {
  try {
    return (await gates.decide(gates.who, { ...offer, waitMs: 0 }, going.signal)) as Decided // it does not wait
  } catch (error) {
    if (error instanceof Problem && error.code === 'request_invalid') return 'refused'
    throw error
  }
} // oxfmt-ignore

async function compareCommit(world: GateWorld, i: number, half: 0 | 1, commit: string, random: (n: number) => number): Promise<void> {
  const chance = (n: number): boolean => random(n) === 0
  const repository = repositoryOf(i)
  const others = commitsOf(world)
  const base = chance(4) ? (chance(9) ? 'a'.repeat(40) : others[random(others.length)]!) : undefined
  const build = chance(4) ? `b-${commit.slice(0, 7)}` : undefined
  const where = `PROOFLINE_SEED=${firstSeed + i} ${repository} ${half} ${commit} base ${base} build ${build}`
  const [own, org] = [world.contracts[half], half === 0 ? undefined : orgContract]
  const contract = holding(own, org)
  const model = askGateModel(records.get(repository) ?? [], contract, { repository, commit, base })
  const ask = () => decide({ repository, commit, ...(base === undefined ? {} : { base }), ...(build === undefined ? {} : { build }) })
  const [found, again] = chance(3) ? await Promise.all([ask(), ask()]) : [await ask(), await ask()]
  if (model === 'refused' || found === 'refused' || again === 'refused') {
    expect({ where, found, again }).toEqual({ where, found: 'refused', again: 'refused' })
    expect({ where, model }).toEqual({ where, model: 'refused' })
    return count('refused')
  }

  const standing = await gates.contracts.contracts.contractAt(repository)
  const enforced = contract !== undefined && contract.mode !== 'observe'
  const inherited = standing.own !== undefined && own?.inherit !== false ? standing.org?.contract : undefined
  const holds = standing.own ?? standing.org
  const restsOn = JSON.stringify([holds?.contract, holds?.contract_version, inherited, enforced, model.counted, model.missing, model.base])
  const says = JSON.stringify([restsOn, model])
  const subject = JSON.stringify([repository, commit, build])
  const last = said.get(subject)
  const stands = last !== undefined && (last.says === says || (last.verdict !== 'incomplete' && last.restsOn === restsOn))
  const { gate: { id, fields } } = found
  expect({ where, ids: again.gate.id, created: [found.created, again.created].filter(Boolean).length }).toEqual({ where, ids: id, created: stands ? 0 : 1 })
  if (stands) {
    expect({ where, id, override: found.override?.fields.ticket ?? null }).toEqual({ where, id: last.id, override: last.override })
    count('stands')
  } else {
    const { counted, ...rest }: ModelGate = model
    expect({ where, ...printGate(fields) }).toEqual({ where, ...rest, counted: counted.length })
    expect({ where, previous: fields.previous, enforced: fields.enforced, build: fields.build }).toEqual({ where, previous: last?.id, enforced, build })
    const version = own === undefined ? (org && 1) : own === world.contracts[0] ? 1 : world.contracts[0] === undefined ? 1 : 2
    expect({ where, version: fields.contract_version, default: fields.contract_default !== undefined }).toEqual({ where, version, default: own !== undefined && own.inherit !== false && org !== undefined })
    count(fields.verdict)
    for (const reason of fields.reasons) count(reason)
    for (const { limit, met } of fields.checks) count(`${limit} ${met}`)
  }
  if (!stands || chance(9)) {
    // Anybody makes the same report again.
    const report = await answerReport(gates.subjects, ledgers, { repository, asOf: fields.as_of, ...(build === undefined ? { commit } : { build }) })
    expect({ where, report: createHash('sha256').update(JSON.stringify(report)).digest('hex') }).toEqual({ where, report: fields.report })
    expect(gates.contracts.kept.has(fields.report)).toBe(true)
  }
  const now: Said = stands ? last : { id, verdict: fields.verdict, restsOn, says, override: null }
  said.set(subject, now)
  if (!stands) newest.set(`${repository} ${commit}`, now)

  if (chance(3)) {
    const ticket = `T-${half}-${random(100)}`
    const letting = gates.override(gates.who, { gate: id, reason: 'hotfix', ticket })
    if (fields.verdict === 'pass') await expect(letting).rejects.toMatchObject({ code: 'request_invalid' })
    else {
      expect((await letting).override.fields).toMatchObject({ overrides: id, overridden: fields.verdict, enforced: fields.enforced, ticket })
      now.override = ticket
      count('overridden')
    }
    const after = await ask()
    expect(after === 'refused' ? after : { where, id: after.gate.id, created: after.created, override: after.override?.fields.ticket ?? null }).toEqual({ where, id, created: false, override: now.override })
  }
  if (chance(3)) {
    const of = newest.get(`${repository} ${commit}`)
    count('deployed')
    const { recorded } = await gates.deploy(gates.who, { repository, commit, deployment: `d-${seen['deployed']}`, environment: 'production' })
    const expected = of === undefined ? { decision: 'none', gate: null } : { decision: of.override === null ? of.verdict : 'overridden', gate: of.id }
    expect({ where, decision: recorded.fields.decision, gate: recorded.fields.gate, enforced: recorded.fields.enforced }).toEqual({ where, ...expected, enforced })
  }
} // oxfmt-ignore

const commitsOf = ({ events }: GateWorld): string[] => [
  ...new Set(events.flatMap((event) => (event.kind === 'run' ? [event.run.commit] : event.kind === 'inventory' ? [event.commit] : []))),
] // oxfmt-ignore

/** Notes on files of commits: they may change no decision. */
async function disposeOf(world: GateWorld, i: number): Promise<void> {
  const repository = repositoryOf(i)
  const { book } = gates.nodes[2]!
  for (const path of world.files) {
    const blob = commitsOf(world).map((commit) => readFiles(records.get(repository) ?? [], commit)?.get(path)).find((one) => one !== undefined)
    const fields = { repository, target: { kind: 'lines', path, lines: '1-3' }, note: 'known', verdict: 'accepted', blob, by: { method: 'token', subject: 'token:1' } } as DispositionFields
    await book.appender.submit([
      { key: changeKeys.disposition(fields), digest: Buffer.alloc(32), firstWins: true, conflict: 'internal', segments: [packSegment('disposition', [dispositionPayload(book.ledger, fields)])] },
    ])
  }
} // oxfmt-ignore

/** Many at once: then they share appends, as pushes do. */
async function many(waiting: (() => Promise<void>)[]): Promise<void> {
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next()
  }
  await Promise.all(Array.from({ length: 12 }, work))
}

describe('gates of random histories', () => {
  for (const half of [0, 1] as const)
    it(
      half === 0 ? 'decide what the model says' : 'decide what the model says when the rest came, and stand where only notes came',
      async () => {
        if (half === 1) await register('*', orgContract)
        await many(worlds.map((world, i) => () => recordHalf(world, i, half)))
        await catchUp()
        await many(
          worlds.map((world, i) => async () => {
            const random = createRandom(firstSeed + i + half * 500_000)
            for (const commit of commitsOf(world)) await compareCommit(world, i, half, commit, random)
            if (half === 0) return
            await disposeOf(world, i)
            for (const commit of commitsOf(world)) await compareCommit(world, i, half, commit, random)
          }),
        )
      },
      patienceMs,
    ) // oxfmt-ignore

  it('were of every kind', () => {
    console.log(JSON.stringify(seen))
    // The rare ones a long run has to have.
    const rare = [
      'fail',
      'nothing_measured',
      'not_sealed',
      'below_threshold',
      'lines false',
      'changed_lines false',
      'no_contract',
    ]
    const usual = [
      'pass',
      'incomplete',
      'suite_missing',
      'changed_lines_unknown',
      'stands',
      'refused',
      'overridden',
      'lines true',
    ]
    const all = histories < 100 ? usual : [...usual, ...rare]
    expect(all.filter((kind) => seen[kind] === undefined)).toEqual([])
  })
})
