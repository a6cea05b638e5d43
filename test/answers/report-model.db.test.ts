import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createInventories } from '../../src/answers/inventories.ts'
import { answerPeriod } from '../../src/answers/period.ts'
import { type ReportAnswer, answerReport } from '../../src/answers/report.ts'
import { createRunEvidences } from '../../src/answers/run-evidence.ts'
import type { HeldContract, SubjectDeps } from '../../src/answers/subject.ts'
import type { Contract } from '../../src/contract/form.ts'
import { catchUpDecisions } from '../../src/history/decisions.ts'
import { createHistories } from '../../src/history/ledger-history.ts'
import { createProjection } from '../../src/history/projection.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { type LedgerName, printTime, testTypes } from '../../src/record/record.ts'
import { printPayload } from '../../src/record/run.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { inventorySubmissions, runSubmissions } from '../support/record-runs.ts'
import type { ModelRecord } from '../history/model.ts'
import { type History, createRandom, makeHistory } from '../history/random-history.ts'
import { askPeriodModel } from './period-model.ts'
import { type ModelContract, askReportModel } from './report-model.ts'

/**
 * Reports of random histories must be what the model says of the same records, as of now and as of earlier sizes, whatever the order of arrival.
 * PROOFLINE_REPORTS sets how many histories (thousands for a long run), PROOFLINE_SEED where they begin.
 */
const histories = Number(process.env['PROOFLINE_REPORTS'] ?? 40)
const firstSeed = Number(process.env['PROOFLINE_SEED'] ?? 1)
const ledgers: LedgerName[] = ['main/unit', 'main/integration', 'main/changes']

interface World extends History {
  contract: ModelContract | undefined
  /** Of the contract. */
  production: string[] | undefined
  /** By index of the event before which it is recorded: commits that are deployed. */
  deployed: { at: number; commit: string; name: string }[]
}

let database: TestDatabase
let nodes: TestNode[]
let deps: SubjectDeps
const worlds: World[] = []
const byRepository = new Map<string, ModelRecord[]>()

function makeWorld(seed: number): World {
  const history = makeHistory(seed)
  const random = createRandom(seed + 77)
  const chance = (n: number): boolean => random(n) === 0
  const production = [undefined, ['a.ts'], ['a.ts', 'b.ts'], ['c.ts']][random(4)]
  const suites = [
    { name: 'api', test_type: 'unit', required: true },
    { name: 'e2e', test_type: 'integration', required: !chance(3) },
    { name: 'api', test_type: 'integration', required: chance(3) },
  ].slice(0, 1 + random(3))
  const isProduction = production && ((path: string): boolean => production.includes(path))
  const contract = chance(4) ? undefined : { production: isProduction, suites: chance(5) ? undefined : suites }
  const commits = [...new Set(history.events.flatMap((event) => (event.kind === 'run' ? [event.run.commit] : [])))]
  const deployed = commits.flatMap((commit, i) => (chance(2) ? [{ at: random(history.events.length), commit, name: `d${i}` }] : []))
  return { ...history, contract, production, deployed }
} // oxfmt-ignore

/** What a seal says of the production files: over paths and blobs of the commit's inventory. */
function productionOf({ events, contract }: World, commit: string): string | undefined {
  const inventory = events.find((event) => event.kind === 'inventory' && event.commit === commit)
  if (inventory?.kind !== 'inventory' || contract?.production === undefined) return undefined
  const files = Object.entries(inventory.files).filter(([path]) => contract.production?.(path)).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(files.map(([path, blob]) => `${path}\0${blob}\n`).join('')).digest('hex')
} // oxfmt-ignore

async function record(world: World, repository: string, order: readonly number[]): Promise<void> {
  const changes = nodes[2]!.book
  for (const [step, index] of order.entries()) {
    for (const { at, commit, name } of world.deployed) {
      if (at !== step) continue
      const payload = printPayload('deployment', 'main/changes', {
        repository,
        deployment: name,
        environment: 'prod',
        commit,
      })
      await changes.appender.submit([
        { key: `deployment:${repository}/${name}`, digest: Buffer.alloc(32), conflict: 'internal', segments: [packSegment('deployment', [payload])] },
      ]) // oxfmt-ignore
    }
    const event = world.events[index]!
    const { book } = nodes[event.ledger]!
    if (event.kind === 'maps') continue
    if (event.kind === 'inventory') {
      await book.appender.submit(await inventorySubmissions(book, repository, event.commit, event.files))
      continue
    }
    const run = { ...event.run, run: event.run.run.replace('NAME', repository), repository }
    // Some never end, or are ended by nobody.
    const ending = index % 9 === 8 ? 'none' : index % 9 === 7 ? 'abandoned' : undefined
    await book.appender.submit(
      await runSubmissions(book, { ...run, production: productionOf(world, run.commit), ending }),
    )
  }
}

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  nodes = await Promise.all(ledgers.map((ledger) => openNode(database.db, signer, 'a', ledger)))
  for (let i = 0; i < histories; i++) worlds.push(makeWorld(firstSeed + i))
  const waiting = worlds.flatMap((world, i) => {
    const plain = world.events.map((_, at) => at)
    const random = createRandom(firstSeed + i + 1_000_000)
    const shuffled = plain.map((at) => [random(1_000_000), at] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, at]) => at) // oxfmt-ignore
    return [() => record(world, `h${i}a`, plain), () => record(world, `h${i}b`, shuffled)]
  })
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next()
    }),
  )
  const { db } = database
  const going = new AbortController().signal
  for (const [i, { reader }] of nodes.entries()) {
    const ledger = ledgers[i]!
    const size = (await reader.published(ledger))?.size ?? 0
    if (ledger === 'main/changes') await catchUpDecisions({ db, reader }, ledger, size, going)
    else await createProjection({ db, reader, readList: async () => undefined }, ledger).catchUp(size, going)
    for (let next = 0; next < size;) {
      const batch = await reader.readBatch(ledger, next)
      for (const { seq, recordedAt, id, bytes } of batch.records) {
        const fields = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
        const repository = fields['repository'] as string
        byRepository.set(repository, [...(byRepository.get(repository) ?? []), { ledger, seq, recordedAt, id, fields }])
      }
      next = batch.next
    }
  }
  const { reader } = nodes[0]!
  deps = {
    db,
    reader,
    histories: createHistories(db),
    evidences: createRunEvidences({ db, reader, readList: async () => undefined }),
    inventories: createInventories(reader),
    contractAt: async (repository): Promise<HeldContract> => {
      const { contract, production } = worlds[Number(repository.slice(1, -1))]!
      if (contract === undefined) return { own: undefined, org: undefined, effective: undefined }
      const { suites } = contract
      const effective = { version: 1, inherit: true, production: production && { include: production, exclude: [] }, suites } as unknown as Contract // oxfmt-ignore
      return { own: { contract: 'c'.repeat(64), contract_version: 1 }, org: undefined, effective }
    },
  }
}, 600_000)
afterAll(async () => {
  for (const { book } of nodes) await book.close()
  await database.drop()
})

interface Asked {
  commit?: string | undefined
  deployment?: string | undefined
}

type Figures = (Omit<ReportAnswer['figures'][number], 'suites'> &
  Partial<Pick<ReportAnswer['figures'][number], 'suites'>>)[]

function printFigures(figures: Figures) {
  type Sums = { files: number; found: number; covered: number; partial: number; missed: number }
  const sum = (sums: Sums | null) => sums && [sums.files, sums.found, sums.covered, sums.partial, sums.missed]
  return Object.fromEntries(
    figures.map(({ definition, unit, integration, both, not_comparable, suites }) => [
      definition,
      {
        unit: sum(unit),
        integration: sum(integration),
        both: [both.files, both.found, both.executed, both.only_unit, both.only_integration, both.both, both.none],
        apart: not_comparable.files,
        ...(suites === undefined ? {} : { suites: Object.fromEntries(suites.map((one) => [`${one.test_type}/${one.suite}`, sum(one)])) }),
      },
    ]),
  )
} // oxfmt-ignore

function printStanding({ complete, missing, answered_from }: Pick<ReportAnswer, 'complete' | 'missing' | 'answered_from'>) {
  return {
    complete,
    missing: missing.map(({ test_type, suite, reasons }) => `${test_type}/${suite}: ${reasons.join()}`),
    answered_from: answered_from?.commit ?? null,
  }
} // oxfmt-ignore

async function askPeriod(repository: string, ref: string, from: number, to: number) {
  const answer = await answerPeriod(deps, ledgers, { repository, ref, from: printTime(from), to: printTime(to) })
  const print = (one: NonNullable<typeof answer.start>) => ({ commit: one.commit, ...printStanding(one), figures: printFigures(one.figures), not_measured: one.not_measured })
  return {
    start: answer.start && print(answer.start),
    end: answer.end && print(answer.end),
    deployments: answer.deployments.map((one) => ({ deployment: one.deployment, ...printStanding(one), figures: printFigures(one.figures) })),
  }
} // oxfmt-ignore

/** In the form of the model. */
async function ask(repository: string, asked: Asked, asOf: string) {
  const answer = await answerReport(deps, ledgers, { repository, asOf, ...asked })
  expect(answer.as_of).toBe(asOf)
  return {
    ...printStanding(answer),
    runs: answer.runs.map(({ run }) => run).sort(),
    left_out: answer.left_out.map(({ run, reasons }) => ({ run, reasons })).sort((a, b) => (a.run < b.run ? -1 : 1)),
    figures: printFigures(answer.figures),
    hidden: Object.fromEntries(answer.hidden.map(({ path, definition, lines }) => [`${path} ${definition}`, lines])),
    not_measured: answer.not_measured,
    not_comparable: answer.not_comparable.map(({ path }) => path),
    blob_differs: answer.blob_differs,
  }
}

const commitsOf = ({ events }: World): string[] => [
  ...new Set(events.flatMap((event) => (event.kind === 'run' ? [event.run.commit] : event.kind === 'inventory' ? [event.commit] : []))),
] // oxfmt-ignore
const printAsOf = (sizes: readonly number[]): string => sizes.map((size, i) => `${[...testTypes, 'changes'][i]}:${size}`).join(',') // oxfmt-ignore
const whole = async (): Promise<number[]> =>
  Promise.all(nodes.map(async ({ reader }, i) => (await reader.published(ledgers[i]!))?.size ?? 0))

describe('reports of random histories', () => {
  it('say what the model says, now and as of any size', async () => {
    let compared = 0
    let told = 0
    const full = await whole()
    for (const [i, world] of worlds.entries()) {
      const random = createRandom(firstSeed + i + 5_000)
      for (const repository of [`h${i}a`, `h${i}b`]) {
        const own = byRepository.get(repository) ?? []
        for (const commit of commitsOf(world)) {
          const sizes = random(2) === 0 ? full : full.map((size, at) => (at === 2 ? size : random(size + 1)))
          const below = own.filter(({ ledger, seq }) => seq < sizes[ledgers.indexOf(ledger as LedgerName)]!)
          const deployment = below.find(({ fields }) => fields['kind'] === 'deployment' && fields['commit'] === commit)
          const asked = deployment === undefined ? { commit } : { deployment: String(deployment.fields['deployment']) }
          const subject = { repository, commit, before: deployment?.recordedAt }
          // Of a repository that nothing is known of as of the sizes there is no report.
          if (world.contract === undefined && below.every(({ ledger }) => ledger === 'main/changes')) {
            await expect(ask(repository, asked, printAsOf(sizes))).rejects.toMatchObject({ code: 'not_found' })
            continue
          }
          const found = await ask(repository, asked, printAsOf(sizes))
          const where = `seed ${firstSeed + i} ${repository} ${JSON.stringify(asked)} ${printAsOf(sizes)}`
          expect({ where, ...found }).toEqual({ where, ...askReportModel(below, world.contract, subject) })
          compared += 1
          if (found.answered_from !== null || found.not_comparable.length > 0) told += 1
        }
      }
    }
    expect(compared).toBeGreaterThan(histories)
    // The worlds have what is difficult in them.
    expect(told).toBeGreaterThan(histories / 20)
  }, 600_000)

  it('do not depend on the order in which runs arrived', async () => {
    const full = await whole()
    let compared = 0
    for (const [i, world] of worlds.entries())
      for (const commit of commitsOf(world)) {
        const [a, b] = await Promise.all(['a', 'b'].map((of) => ask(`h${i}${of}`, { commit }, printAsOf(full))))
        if (a?.answered_from !== b?.answered_from) continue // of several the one that was recorded last
        const plain = JSON.stringify(a).replaceAll(`h${i}a`, '').replaceAll(`h${i}b`, '')
        expect(JSON.stringify(b).replaceAll(`h${i}b`, '').replaceAll(`h${i}a`, '')).toBe(plain)
        compared += 1
      }
    expect(compared).toBeGreaterThan(histories)
  }, 600_000)

  it('of a period say how it stood at both ends, and at each deployment between', async () => {
    const seen = { ends: 0, deployments: 0 }
    for (const [i, world] of worlds.entries()) {
      const repository = `h${i}${i % 2 === 0 ? 'a' : 'b'}`
      const own = byRepository.get(repository) ?? []
      if (own.every(({ ledger }) => ledger === 'main/changes')) continue
      const random = createRandom(firstSeed + i + 9_000)
      const [a, b] = [own[random(own.length)]!.recordedAt, own[random(own.length)]!.recordedAt + random(2)]
      const [from, to] = [Math.min(a, b), Math.max(a, b) + 1]
      const ref = random(4) === 0 ? 'refs/heads/other' : 'refs/heads/main'
      const found = await askPeriod(repository, ref, from, to)
      const where = `seed ${firstSeed + i} ${repository} ${ref} ${from} ${to}`
      expect({ where, ...found }).toEqual({
        where,
        ...askPeriodModel(own, world.contract, { repository, ref, from, to }),
      })
      seen.ends += [found.start, found.end].filter((one) => one !== null).length
      seen.deployments += found.deployments.length
    }
    expect(seen.ends).toBeGreaterThan(histories / 2)
    expect(seen.deployments).toBeGreaterThan(histories / 10)
  }, 600_000)
})
