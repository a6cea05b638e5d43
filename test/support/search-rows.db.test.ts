import { expect, it } from 'vitest'
import { createTestDatabase } from './database.ts'
import { searchRows } from './search-rows.ts'
import { alsoSecret, planted, takeLeaks } from './secrets.ts'

it('finds in rows what it finds in texts: as it is, in another form, within JSON', async () => {
  const test = await createTestDatabase()
  const secret = planted('hec-token')
  alsoSecret('made by (chance)?')
  const rows = [
    ['planted', { deep: [secret] }],
    ['base64', `x${Buffer.from(`a:${secret}`).toString('base64')}`],
    ['hex', Buffer.from(secret).toString('hex')],
    ['a token', `pl_0123456789abcdef_${'a'.repeat(43)}`],
    ['a session', `0123456789abcdef_${'-'.repeat(43)}`],
    ['a token of an issuer', `eyJhbGciOiJS.eyJzdWIiOiIx.${'s'.repeat(40)}`],
    ['a password', 'postgres://u:x@db/y'],
    ['a header', { said: '{"authorization":"Splunk 11112222"}' }],
    ['chance', 'it was made by (chance)?'],
    ['none', 'postgres://u:[secret]@db/y, and basic rules'],
  ] as const
  await test.owner.query({ text: 'create table proofline.told (name text, told jsonb)' })
  for (const [name, told] of rows)
    await test.owner.query({ text: 'insert into proofline.told values ($1, $2)', values: [name, JSON.stringify(told)] })
  await searchRows(test.owner)
  expect(takeLeaks().toSorted()).toMatchObject(rows.slice(0, -1).map(() => expect.stringMatching(/^a row of proofline\.told: /))) // oxfmt-ignore
  await test.owner.query({ text: 'drop table proofline.told' })
  await test.drop()
})
