import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDatabase, type Database } from '../../src/database/database.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'

let test: TestDatabase
const opened: Database[] = []
beforeEach(async () => {
  test = await createTestDatabase()
})
afterEach(async () => {
  for (const db of opened.splice(0)) await db.end()
  await test.drop()
})

function as(role: string): Database {
  const db = createDatabase({ url: test.url, role, maxConnections: 1, log: silentLogger })
  opened.push(db)
  return db
}

describe('the roles beside the service', () => {
  it('let proofline_retention ask for a month or a day to go, by the rules in the database, and read nothing', async () => {
    const db = as('proofline_retention')
    const { rows } = await db.query({ text: `select detach_month('unit', '2019-01-01') as told` })
    expect(rows).toEqual([{ told: null }])
    await expect(db.query({ text: `select expire_day('main/unit', '2019-01-01')` })).rejects.toThrow(
      'not in the archive',
    )
    for (const table of ['segments', 'heads', 'cold_days', 'tokens', 'service_secrets'])
      await expect(db.query({ text: `select from ${table}` })).rejects.toThrow(`permission denied for table ${table}`)
    await expect(db.query({ text: `select set_retention('main/operations', 12, 12)` })).rejects.toThrow(
      'permission denied',
    )
  })

  it('give these two acts to no other role, so that they can be taken from the service', async () => {
    const { rows } = await test.owner.query<{ name: string; grantee: string }>({
      text: `select distinct proname as name, grantee::regrole::text as grantee from pg_proc, aclexplode(proacl)
             where pronamespace = 'proofline'::regnamespace and proname in ('detach_month', 'expire_day') order by 1, 2`,
    })
    const grantees = ['proofline_owner', 'proofline_retention']
    expect(rows).toEqual(
      ['detach_month', 'expire_day'].flatMap((name) => grantees.map((grantee) => ({ name, grantee }))),
    )
    const { rows: member } = await test.owner.query({
      text: `select pg_has_role('proofline_runtime', 'proofline_retention', 'usage') as is_member`,
    })
    expect(member).toEqual([{ is_member: true }])
  })

  it('let proofline_reader read all evidence and no credential, and write nothing', async () => {
    const db = as('proofline_reader')
    const { rows } = await test.owner.query<{ name: string }>({
      text: `select c.relname as name from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attname = 'ledger'
             where c.relnamespace = 'proofline'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`,
    })
    expect(rows.length).toBeGreaterThan(20)
    for (const { name } of rows) await db.query({ text: `select from ${name} limit 1` })
    for (const table of ['tokens', 'token_revocations', 'service_secrets', 'producers', 'producer_revocations'])
      await expect(db.query({ text: `select from ${table}` })).rejects.toThrow(`permission denied for table ${table}`)
    await expect(db.query({ text: `insert into barriers values ('main/unit', 'x', 1)` })).rejects.toThrow(
      'permission denied',
    )
  })
})
