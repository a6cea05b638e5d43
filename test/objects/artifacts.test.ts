import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFolderObjects } from '../../src/objects/folder.ts'
import { createArtifacts } from '../../src/objects/objects.ts'
import type { Artifact, Artifacts, Objects } from '../../src/objects/objects.ts'

let folder: string
let artifacts: Artifacts
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-artifacts-'))
  artifacts = createArtifacts(await createFolderObjects(folder))
})
afterEach(() => rm(folder, { recursive: true }))

const report = Buffer.from('SF:src/a.ts\nDA:1,1\nDA:2,0\nend_of_record\n'.repeat(50_000))
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function store(bytes: Uint8Array, chunk = 65_536, into = artifacts): Promise<Artifact> {
  const writer = await into.writer()
  try {
    for (let at = 0; at < bytes.length; at += chunk) await writer.write(bytes.subarray(at, at + chunk))
  } catch (error) {
    await writer.abort()
    throw error
  }
  return await writer.commit()
}

async function load(sha256: string): Promise<Buffer | undefined> {
  const stream = await artifacts.open(sha256)
  return stream === undefined ? undefined : await buffer(stream)
}

function fileOf(sha256: string): string {
  return join(folder, 'artifacts', sha256.slice(0, 2), sha256.slice(2, 4), `${sha256}.zst`)
}

describe('createArtifacts', () => {
  it('names an artifact by the SHA-256 of its decoded bytes and gives back exactly those', async () => {
    expect(await store(report)).toEqual({ sha256: digest(report), bytes: report.length })
    expect((await load(digest(report)))?.equals(report)).toBe(true)
    expect(await artifacts.has(digest(report))).toBe(true)
  })

  it('stores it compressed, as a zstd frame that any tool opens', async () => {
    const { sha256 } = await store(report)
    const stored = await readFile(fileOf(sha256))
    expect(stored.length).toBeLessThan(report.length / 20)
    expect(zstdDecompressSync(stored).equals(report)).toBe(true)
  })

  it('does not depend on how the bytes were cut, and takes none at all', async () => {
    expect((await store(report, 1_000_003)).sha256).toBe((await store(report, 997)).sha256)
    expect(await store(new Uint8Array(0))).toEqual({ sha256: digest(new Uint8Array(0)), bytes: 0 })
    expect(await load(digest(new Uint8Array(0)))).toEqual(Buffer.alloc(0))
  })

  it('takes the same bytes from ten writers at once', async () => {
    const stored = await Promise.all(Array.from({ length: 10 }, () => store(report)))
    expect(new Set(stored.map(({ sha256 }) => sha256)).size).toBe(1)
    expect((await load(digest(report)))?.equals(report)).toBe(true)
  })

  it('keeps nothing of an aborted artifact', async () => {
    const writer = await artifacts.writer()
    await writer.write(report)
    await writer.abort()
    expect(await artifacts.has(digest(report))).toBe(false)
    expect(await readdir(join(folder, 'tmp'))).toEqual([])
  })

  it('fails the writer when the storage is full, and keeps nothing', async () => {
    const objects = await createFolderObjects(folder)
    const full: Objects = {
      ...objects,
      async create() {
        const writer = await objects.create()
        return { ...writer, write: () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' })) }
      },
    }
    const noise = Buffer.concat(
      Array.from({ length: 40_000 }, (_, i) => createHash('sha256').update(String(i)).digest()),
    )
    await expect(store(noise, 10_000, createArtifacts(full))).rejects.toThrow('no space left')
    expect(await artifacts.has(digest(noise))).toBe(false)
  })

  it.each([
    ['other bytes in a whole frame', () => zstdCompressSync(Buffer.from('something else'))],
    ['a frame that ends early', (stored: Buffer) => stored.subarray(0, stored.length - 10)],
    ['a flipped bit', (stored: Buffer) => stored.with(stored.length >> 1, (stored[stored.length >> 1] ?? 0) ^ 1)],
    ['no zstd at all', () => Buffer.from('hello')],
    ['nothing', () => Buffer.alloc(0)],
  ])('fails with `integrity` when the stored file holds %s', async (_, damage) => {
    const { sha256 } = await store(report)
    const stored = await readFile(fileOf(sha256))
    await chmod(fileOf(sha256), 0o600)
    await writeFile(fileOf(sha256), damage(stored))
    await expect(load(sha256)).rejects.toMatchObject({ code: 'integrity' })
  })

  it('has nothing under an unknown digest, and refuses what is no digest', async () => {
    expect(await load('0'.repeat(64))).toBeUndefined()
    await expect(load('../../etc/passwd')).rejects.toMatchObject({ code: 'request_invalid' })
  })

  it('can be left in the middle of reading', async () => {
    const { sha256 } = await store(report)
    const stream = await artifacts.open(sha256)
    for await (const _ of stream ?? []) break
    expect(stream?.destroyed).toBe(true)
  })
})
