import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Builds, createBuilds } from '../../src/admission/builds.ts'
import { digestOf, keys } from '../../src/admission/run.ts'
import { findSubmissions } from '../../src/ledger/store.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { buildPayload } from '../../src/record/changes.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/changes'
const commit = (letter: string): string => letter.repeat(40)
let database: TestDatabase
let node: TestNode
let builds: Builds

/** Signatures wait for this. */
let held: Promise<void> | undefined

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  const slow: Signer = {
    ...signer,
    async sign(of, request) {
      await held
      return signer.sign(of, request)
    },
  }
  node = await openNode(database.db, slow, 'test', ledger)
  builds = createBuilds(database.db, { chain: () => [ledger], closing: () => undefined }, node.book, node.reader)
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

/** As builds with a slash in their name were recorded before. */
async function recordAsBefore(repository: string, build: string, of: string): Promise<number> {
  const [recorded] = await node.book.appender.submit([
    {
      key: keys.plainBuild(repository, build), digest: digestOf({ repository, build }), firstWins: true, conflict: 'internal',
      segments: [packSegment('build', [buildPayload(ledger, { repository, build, commit: of })])],
    },
  ]) // oxfmt-ignore
  return recorded?.firstSeq ?? -1
}

describe('the number of a build', () => {
  it('is one for each pair of names, also where both are the same text with a slash between', async () => {
    const pairs = [['h/a/b', 'c'], ['h/a', 'b/c'], ['h', 'a/b/c'], ['h/a/b/c', 'd'], ['h/a/b', 'c/d']] as const // oxfmt-ignore
    const numbers = []
    for (const [i, [repository, build]] of pairs.entries())
      numbers.push(await builds.numberOf({ repository, build, commit: commit('abcde'.charAt(i)) }))
    expect(new Set(numbers).size).toBe(pairs.length)
    for (const [i, [repository, build]] of pairs.entries()) {
      expect(await builds.find(repository, build)).toMatchObject({ repository, build, commit: commit('abcde'.charAt(i)), build_seq: numbers[i] }) // oxfmt-ignore
      // The first that names it says of which commit it is.
      expect(await builds.numberOf({ repository, build, commit: commit('f') })).toBe(numbers[i])
    }
    expect(await builds.find('h/a/b/c', 'e')).toBeUndefined()
  })

  it('stays what it was where it was recorded under the ambiguous key, and the other name gets its own', async () => {
    const old = await recordAsBefore('old/a', 'b/c', commit('a'))
    expect(await builds.find('old/a', 'b/c')).toMatchObject({ build_seq: old, commit: commit('a') })
    expect(await builds.numberOf({ repository: 'old/a', build: 'b/c', commit: commit('b') })).toBe(old)
    expect(await builds.find('old/a/b', 'c')).toBeUndefined()
    const own = await builds.numberOf({ repository: 'old/a/b', build: 'c', commit: commit('b') })
    expect(own).toBeGreaterThan(old)
    expect(await builds.find('old/a/b', 'c')).toMatchObject({ build_seq: own, commit: commit('b') })
    expect(await builds.numberOf({ repository: 'old/a/b', build: 'c', commit: commit('c') })).toBe(own)
  })

  it('is one for all who name it at the same time', async () => {
    const at = await Promise.all(Array.from({ length: 5 }, () => builds.numberOf({ repository: 'r/x', build: 'y/1', commit: commit('a') }))) // oxfmt-ignore
    expect(new Set(at).size).toBe(1)
  })

  it('is told when it is published: a gate that asks for a build that was named a moment ago looks there', async () => {
    const { promise, resolve: release } = Promise.withResolvers<void>()
    held = promise
    const named = builds.numberOf({ repository: 'r/z', build: '1', commit: commit('a') })
    const isCommitted = async () =>
      (await findSubmissions(database.db, ledger, [keys.build('r/z', '1')], [])).length > 0
    await expect.poll(isCommitted).toBe(true)
    const published = builds.find('r/z', '1').then(async () => (await node.reader.published(ledger))?.size)
    // Who does not wait is answered by now.
    await Promise.race([published, sleep(200)])
    release()
    expect(await published).toBe((await named) + 1)
  })
})
