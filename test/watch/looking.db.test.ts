import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LookDeps, lookAround } from '../../src/service/looking.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { insertAlert } from '../../src/watch/alert-store.ts'
import type { Finding } from '../../src/watch/alerts.ts'
import { watchSettings } from '../../src/watch/settings.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
let folder: string
beforeAll(async () => {
  database = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'looking-'))
})
afterAll(async () => {
  await database.drop()
  await rm(folder, { recursive: true })
})

const status = { partitions_ahead: 3, ledgers: [] } as unknown as Awaited<ReturnType<LookDeps['readLedgers']>>
const gone = async (): Promise<never> => {
  throw new Error('gone')
}

/** Nothing is wrong, but for what is changed. */
const look = async (over: Partial<LookDeps>, dataDir = folder): Promise<Finding[]> =>
  lookAround({
    config: { data_dir: dataDir, watch: watchSettings.parse({ disk_free: 0 }) } as LookDeps['config'],
    db: database.db,
    reader: { readBatch: gone, published: gone },
    operations: 'main/operations',
    destinations: new Map(),
    readLedgers: async () => status,
    comparisons: async () => [],
    isWanted: () => true,
    evidence: { findings: async () => [] },
    keeping: { findings: async () => [{ code: 'archive_overdue', subject: 'main/unit', detail: 'late' }] },
    ownCertificate: () => undefined,
    log: silentLogger,
    metrics: { watched: () => undefined },
    now: () => new Date(),
    ...over,
  })
const names = (found: Finding[]): string[] => found.map(({ code, subject }) => `${code} ${subject}`).toSorted()

it('tells that a disk cannot be read as what is wrong with it, and the rest as ever', async () => {
  expect(names(await look({}))).toEqual(['archive_overdue main/unit'])
  const found = await look({}, join(folder, 'none'))
  expect(names(found)).toEqual(['archive_overdue main/unit', `disk_low ${join(folder, 'none')}`])
  expect(found.find(({ code }) => code === 'disk_low')?.detail).toMatch(/^cannot be read: ENOENT/)
})

it('tells of the own certificate that it ends, and that what should replace it cannot be used', async () => {
  const at = (days: number, unread?: string) =>
    look({ ownCertificate: () => ({ subject: 'CN=us', expiresAt: (Date.now() + days * 86_400_000) * 1_000, unread }) })
  expect(names(await at(100))).toEqual(['archive_overdue main/unit'])
  expect(names(await at(10))).toEqual(['archive_overdue main/unit', 'certificate_expiring http CN=us'])
  const found = await at(100, 'no pair')
  expect(names(found)).toEqual(['archive_overdue main/unit', 'certificate_expiring http'])
  expect(found.find(({ subject }) => subject === 'http')?.detail).toBe('what replaces it cannot be used: no pair')
})

it('a source that cannot be read silences no other, and the alerts that it told stay open, no others', async () => {
  const open = (code: Finding['code'], subject: string) =>
    insertAlert(database.db, 'main/operations', { alert: `${code}:${subject}`, code, subject, state: 'opened', detail: '', by: 'a', at: 1 }) // oxfmt-ignore
  await open('recording_stopped', 'main/unit')
  await open('reconciliation_missing', 'splunk main/unit')
  await open('evidence_missing', 'main/unit a/b')
  await open('witness_silent', 'w')
  await open('certificate_expiring', 'splunk CN=other')
  const all = ['archive_overdue main/unit']
  expect(names(await look({}))).toEqual(all)
  expect(names(await look({ readLedgers: gone }))).toEqual([...all, 'recording_stopped main/unit'])
  expect(names(await look({ comparisons: gone }))).toEqual([...all, 'reconciliation_missing splunk main/unit'])
  expect(names(await look({ evidence: { findings: gone } }))).toEqual([...all, 'evidence_missing main/unit a/b'])
  expect(names(await look({ keeping: { findings: gone } }))).toEqual(['witness_silent w'])
})
