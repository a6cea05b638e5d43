import { afterAll, beforeAll, expect, it } from 'vitest'
import { deliveryStatus, listDeadLetters } from '../../src/delivery/status.ts'
import { readClosed } from '../../src/ledger/closed-store.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { insertDifferences, keepComparison, listComparisons } from '../../src/watch/comparison-store.ts'
import { drillsByDestination, insertDrill, insertDrillStep, lanesByDrill, listDrills, openDrills, unrecordedDrillSteps } from '../../src/watch/drill-store.ts' // oxfmt-ignore
import { type TestDatabase, createTestDatabase } from '../support/database.ts'

/** Orgs that share a database, and have destinations of the same name. One's name begins with the other's, and with what follows it. */
const orgs = ['main', 'main-2', 'main0', 'rival']
let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
  for (const org of orgs) await fill(org)
})
afterAll(() => test.drop())

async function fill(org: string): Promise<void> {
  const { db } = test
  const lane = { ledger: `${org}/unit` as LedgerName, destination: 'siem' }
  const values = [lane.ledger, lane.destination]
  await db.query({ text: `insert into cuts (ledger, destination, month, base, next) values ($1, $2, '2026-11-01', -1, 0)`, values }) // oxfmt-ignore
  await db.query({ text: 'insert into positions (ledger, destination, at, open_from, open_month, sent_to, proved_to) values ($1, $2, 5, 0, $3, 0, 0)', values: [...values, '2026-11-01'] }) // oxfmt-ignore
  await db.query({ text: `insert into parked (ledger, destination, seq, try, month, first_seq, id, kind, reason, at) values ($1, $2, 7, 1, '2026-11-01', 7, $3, 'refused', $3, 1)`, values: [...values, `${org}.unit-7`] }) // oxfmt-ignore
  await insertDifferences(db, lane, [{ kind: 'foreign', id: `${org}-x`, seq: -1, detail: org, state: 'found' }], org, 2)
  await keepComparison(db, lane, 3, { verdict: 'equal', of: org })
  const drill = await insertDrill(db, lane, { forMicros: 1, graceMicros: 1, reason: org, byWhom: org })
  await insertDrillStep(db, { ...lane, n: drill?.n ?? 0 }, { step: 'measured', result: {} })
}

it.each(orgs)('what waits, was compared and was practised is listed for %s alone', async (org) => {
  const { db } = test
  const ledger = `${org}/unit`
  expect((await deliveryStatus(db, org)).map((lane) => lane.ledger)).toEqual([ledger])
  const letters = await listDeadLetters(db, { org })
  expect(letters.map(({ letter }) => letter)).toEqual([`parked:siem:${ledger}:7:1`, `foreign:siem:${ledger}:${org}-x`])
  expect((await listComparisons(db, org)).map(({ result }) => result)).toEqual([{ verdict: 'equal', of: org }])
  for (const drills of [
    await openDrills(db, org),
    await listDrills(db, org, undefined, 10),
    await listDrills(db, org, 'siem', 10),
  ])
    // oxfmt-ignore
    expect(drills.map(({ byWhom }) => byWhom)).toEqual([org])
  expect(await lanesByDrill(db, org, 'siem')).toEqual([ledger])
  expect(await drillsByDestination(db, org)).toHaveLength(1)
  expect((await unrecordedDrillSteps(db, `${org}/operations`)).map((step) => step.ledger)).toEqual([ledger])
  expect(await readClosed(db, org)).toEqual([])
})

it('letters of another org are not there, also by name', async () => {
  const { db } = test
  const letters = (await listDeadLetters(db, { org: 'rival' })).map(({ letter }) => letter)
  expect(letters).toHaveLength(2)
  expect(await listDeadLetters(db, { org: 'main', letters })).toEqual([])
})
