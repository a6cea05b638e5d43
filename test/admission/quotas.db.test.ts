import { afterAll, beforeAll, expect, it } from 'vitest'
import { createQuotas } from '../../src/admission/quotas.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'

let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

const acme = 'github.com/acme/payments'

it('refuses by what was counted for the repository today, and for all of them ever', async () => {
  const quotas = createQuotas(test.db, 'main', { artifactBytes: 500, repositoryBytesPerDay: 1_000, totalBytes: 1_500 })
  expect((await quotas.admit(acme, 500)).bytes).toBe(500)
  await expect(quotas.admit(acme, 501)).rejects.toMatchObject({ extra: { quota: { limit: 'artifact_bytes' } } })
  await Promise.all(Array.from({ length: 9 }, () => quotas.count(acme, 100)))
  expect((await quotas.admit(acme, 100)).bytes).toBe(100)
  await expect(quotas.admit(acme, 101)).rejects.toMatchObject({
    extra: { quota: { limit: 'repository_bytes_per_day', bytes: 1_000, used: 900 } },
  })
  expect((await quotas.admit('github.com/acme/other', 500)).bytes).toBe(500)
  await quotas.count('github.com/acme/other', 600)
  await expect(quotas.admit('github.com/acme/third', undefined)).rejects.toMatchObject({
    code: 'quota_exceeded',
    extra: { quota: { limit: 'total_bytes', bytes: 1_500, used: 1_500 } },
  })
  const elsewhere = createQuotas(test.db, 'other', { artifactBytes: 500, totalBytes: 1_500 })
  expect((await elsewhere.admit(acme, 500)).bytes).toBe(500)
})

it('begins anew with each day, and keeps the total', async () => {
  const quotas = createQuotas(test.db, 'days', { artifactBytes: 500, repositoryBytesPerDay: 1_000, totalBytes: 1_500 })
  await quotas.count(acme, 950)
  await test.owner.query({ text: `update intake_sums set day = day - 1 where org = 'days' and day <> '-infinity'` })
  expect((await quotas.admit(acme, 500)).bytes).toBe(500)
  await quotas.count(acme, 500)
  expect((await quotas.admit(acme, undefined)).bytes).toBe(50)
})
