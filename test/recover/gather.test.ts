import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendLeaves, emptyEdge, hashLeaf } from '../../src/log/merkle.ts'
import { type SignedHead, gather } from '../../src/recover/gather.ts'
import type { RecoverySource } from '../../src/recover/source.ts'
import { type RecordSpool, openRecordSpool } from '../../src/recover/spool.ts'
import { type MemoryLog, createMemoryLog, ledger } from '../publish/memory-log.ts'

const log = await createMemoryLog(1_000)
/** Well-formed records of the same seqs, with other content from 400 on. */
const liar = await createMemoryLog(1_000, 'b', 400)
const treeAt = (size: number, of = log) =>
  appendLeaves(emptyEdge, Buffer.concat(of.records.slice(0, size).map(hashLeaf)))
const headAt = (size: number, of = log, name = 'the guard'): SignedHead => ({
  size,
  root: treeAt(size, of).root,
  of: name,
})

let folder: string
let spool: RecordSpool
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gather-'))
  spool = await openRecordSpool(join(folder, 'spool'))
})
afterEach(async () => {
  await spool.remove()
  await rm(folder, { recursive: true })
})

const source = (name: string, of: MemoryLog, has: (seq: number) => boolean = () => true): RecoverySource => ({
  name,
  note: async () => undefined,
  read: async (_, from, to) =>
    new Map([...of.records.entries()].filter(([seq]) => seq >= from && seq < to && has(seq))),
})
const run = (sources: RecoverySource[], heads: SignedHead[], had = 100) =>
  gather({ ledger, edge: treeAt(had), heads, sources, spool, signal: new AbortController().signal })
const spooled = async (): Promise<Buffer> => Buffer.concat(await Readable.from(spool.read()).toArray())
const wanted = (from: number, to: number): Buffer => Buffer.concat(log.records.slice(from, to))

describe('gather', () => {
  it('brings together what several have, each a part of it', async () => {
    const got = await run([source('a', log, (seq) => seq % 2 === 0), source('b', log, (seq) => seq % 3 !== 0), source('c', log)], [headAt(1_000)]) // oxfmt-ignore
    expect(got).toMatchObject({ size: 1_000, missing: [], refused: [] })
    expect([...got.from.keys()]).toEqual(['a', 'b', 'c'])
    expect(await spooled()).toEqual(wanted(100, 1_000))
  })

  it('believes no source over the signed root: a lie is left for whoever tells the truth, whichever was asked first', async () => {
    for (const sources of [
      [source('liar', liar), source('honest', log)],
      [source('honest', log), source('liar', liar)],
    ]) {
      const got = await run(sources, [headAt(1_000)])
      expect(got.size).toBe(1_000)
      expect(await spooled()).toEqual(wanted(100, 1_000))
      await spool.cut(0)
    }
    const got = await run([source('liar', liar)], [headAt(1_000)])
    expect(got).toMatchObject({ size: 100, missing: [], refused: ['records 100 to 999 as liar has them do not lead to the root that the guard holds'] }) // oxfmt-ignore
    expect(await spooled()).toHaveLength(0)
  })

  it('keeps what leads to an earlier signed head when the rest is nowhere, and names what is', async () => {
    const got = await run([source('a', log, (seq) => seq < 700 || seq > 710)], [headAt(600), headAt(1_000)])
    expect(got).toMatchObject({ size: 600, missing: [[700, 710]] })
    expect(got.met.map(({ size }) => size)).toEqual([600])
    expect(await spooled()).toEqual(wanted(100, 600))
  })

  it('goes on past a head of another history that somebody signed, and says that it was not met', async () => {
    const got = await run([source('a', log)], [headAt(600, liar, 'a stolen key'), headAt(1_000)])
    expect(got.size).toBe(1_000)
    expect(got.refused).toEqual(['records 100 to 599 as a has them do not lead to the root that a stolen key holds'])
  })

  it('takes no record of another place, and outlives a source that fails', async () => {
    const shifted: RecoverySource = { ...source('shifted', log), read: async (_, from, to) => new Map([...log.records.entries()].map(([seq, bytes]): [number, Uint8Array] => [seq + 1, bytes]).filter(([seq]) => seq >= from && seq < to)) } // oxfmt-ignore
    const broken: RecoverySource = { ...source('broken', log), read: async () => Promise.reject(new Error('HTTP 503')) }
    const got = await run([shifted, broken, source('a', log)], [headAt(300)])
    expect(got.size).toBe(300)
    expect(got.refused).toContain('broken: HTTP 503')
    expect(got.refused).toContainEqual(expect.stringMatching(/^shifted: record 101: is main\.unit-100-/))
  })
})
