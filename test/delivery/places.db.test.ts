import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Queryable } from '../../src/database/database.ts'
import { lanes } from '../../src/delivery/places.ts'
import { drillsByDestination } from '../../src/watch/drill-store.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'

/** A lane has a row in `cuts` for each second in which something was sent: after a year, millions. */
const sent = 20_000

let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
  for (const [ledger, destination] of [['main/unit', 'siem'], ['main/changes', 'siem'], ['other/unit', 'theirs']])
    await test.db.query({
      text: `insert into cuts (ledger, destination, month, base, next)
             select $1, $2, '2026-11-01', n - 1, n from generate_series(0, $3::bigint) as n`,
      values: [ledger, destination, sent],
    })
  await test.owner.query({ text: 'analyze proofline.cuts' })
}) // oxfmt-ignore
afterAll(() => test.drop())

/** The plan of the statement that `work` sends. */
async function planOf(work: (db: Queryable) => Promise<unknown>): Promise<string> {
  let plan = ''
  const explaining = {
    async query({ text, values }: { text: string; values?: readonly unknown[] }) {
      const { rows } = await test.db.query({ text: `explain (analyze, format json) ${text}`, values: [...(values ?? [])] })
      plan = JSON.stringify(rows)
      return { rows: [], rowCount: 0 }
    },
  } as unknown as Queryable // one statement, of which only the plan is wanted
  await work(explaining)
  return plan
} // oxfmt-ignore

it('the lanes of an org are those that have begun', async () => {
  expect(await lanes(test.db, 'main')).toEqual([
    { ledger: 'main/changes', destination: 'siem' },
    { ledger: 'main/unit', destination: 'siem' },
  ])
})

it.each([
  ['lanes', (db: Queryable) => lanes(db, 'main')],
  ['drills', (db: Queryable) => drillsByDestination(db, 'main')],
])('the list of %s reads where lanes begin, not all that was ever sent', async (_name, list) => {
  const plan = await planOf(list)
  expect(plan).toContain('cuts_starts')
  for (const [, rows = ''] of plan.matchAll(/"Rows Removed by (?:Filter|Index Recheck)":(\d+)/g)) expect(Number(rows)).toBeLessThan(100)
}) // oxfmt-ignore
