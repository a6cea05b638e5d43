import { afterEach, beforeEach, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { type KeepingDeps, patiently } from '../../src/service/keeping.ts'
import type { Shelf } from '../../src/publish/shelf.ts'
import { publishing } from '../../src/service/publishing.ts'
import { Problem } from '../../src/record/problem.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import type { Finding } from '../../src/watch/alerts.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger: LedgerName = 'main/unit'
let database: TestDatabase
let node: TestNode
const ends: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  database = await createTestDatabase()
  await database.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  node = await openNode(database.db, await createMemorySigner())
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await node.book.close()
  await database.drop()
})

/** As two nodes have it: the worker runs in the first, the alerts are looked for by `elsewhere`. */
async function follow(shelf: Shelf, signer: Awaited<ReturnType<typeof createMemorySigner>>) {
  const newest = { note: undefined as string | undefined }
  const deps = {
    config: readConfig('publish: { folder: /nowhere, every_ms: 100 }', {}),
    db: database.db,
    generations: { every: [ledger] },
    treeOf: () => node.book.tree,
    operations: { ledger: 'main/operations' },
    signer,
    originOf: () => 'localhost/main/unit',
    witnessed: { newest: async () => (newest.note === undefined ? undefined : { size: 0, note: newest.note }) },
    shelf,
    log: silentLogger,
  } as unknown as KeepingDeps // what this part reads of it
  const ending = new AbortController()
  await publishing(deps, (_name, run) => {
    const running = run(ending.signal)
    ends.push(async () => {
      ending.abort()
      await running
    })
  })
  const elsewhere = await publishing(deps, () => undefined)
  const found = async (isThere: (found: Finding[]) => boolean): Promise<Finding[]> => {
    for (let i = 0; i < 200; i++) {
      const all = await elsewhere()
      if (isThere(all)) return all
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error(`it did not come: ${JSON.stringify(await elsewhere())}`)
  }
  return { found, newest }
}

it('what is wrong with a copy is told also to the node that does not write it, and no longer when it is well', async () => {
  const files = new Map<string, Uint8Array>()
  let fault: Error | undefined
  const shelf: Shelf = {
    name: 's3://copy/',
    async get(path) {
      if (fault !== undefined) throw fault
      return files.get(path)
    },
    putOnce: async (path, bytes) => void files.set(path, bytes),
    settle: async () => undefined,
    replace: async (path, bytes) => void files.set(path, bytes),
    dropPartials: async () => undefined,
    claim: async () => ({ release() {} }),
    close: async () => undefined,
  }
  const signer = await createMemorySigner()
  const { found, newest } = await follow(shelf, signer)
  const note = async (): Promise<string | undefined> => node.book.tree.checkpoint()
  await node.book.appender.submit([aSubmission('run:a')])
  fault = new Problem('unavailable', 'the bucket is away')
  newest.note = await note()
  expect(await found((all) => all.length > 0)).toEqual([{ code: 'publication_late', subject: 'main/unit published in s3://copy/', detail: 'the bucket is away' }]) // oxfmt-ignore
  fault = new Problem('integrity', 'other bytes')
  expect(await found(([one]) => one?.code === 'log_mismatch')).toHaveLength(1)
  fault = undefined
  await found((all) => all.length === 0)
  expect(Buffer.from(files.get('main/unit/checkpoint') ?? []).toString()).toBe(newest.note)
  // A quorum that came later and has cosigned less than is published.
  newest.note = undefined
  const [ahead] = await found((all) => all.length > 0)
  expect(ahead).toMatchObject({ code: 'publication_late', detail: expect.stringContaining('the copy has 1 records, more than may be published now') as string }) // oxfmt-ignore
})

it('one part that cannot be looked at hides no other, and what it found last stands; before that, what is open', async () => {
  const key: Finding = { code: 'key_expiring', subject: 'k', detail: '' }
  const answers: (Finding[] | Error)[] = [new Error('gone'), [key], new Error('gone'), []]
  const open = async (): Promise<Finding[]> => [{ ...key, code: 'witness_silent' }]
  const find = patiently(
    async () => {
      const next = answers.shift()
      if (next instanceof Error) throw next
      return next ?? []
    },
    open,
    silentLogger,
  )
  expect((await find()).map(({ code }) => code)).toEqual(['witness_silent'])
  expect((await find()).map(({ code }) => code)).toEqual(['key_expiring'])
  expect((await find()).map(({ code }) => code)).toEqual(['key_expiring'])
  expect(await find()).toEqual([])
})
