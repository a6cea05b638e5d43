import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { constants, createZstdCompress, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openArtifact, readArtifact, readDecoded } from '../../src/producer/artifact.ts'
import { makeFolder, write } from '../commands/run-program.ts'

let folder: string
beforeEach(() => (folder = makeFolder()))
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

const text = 'SF:/ci/checkout/src/a.js\n'.repeat(40_000)
const digest = createHash('sha256').update(text).digest('hex')
const ignore = (): void => undefined

describe('readArtifact', () => {
  it.each([
    ['identity', Buffer.from(text)],
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text)],
  ] as const)('knows the report within %s', async (encoding, bytes) => {
    const artifact = await readArtifact(write(folder, 'r', bytes), '/ci/checkout')
    expect(artifact).toMatchObject({ encoding, sha256: digest, storedBytes: bytes.length, mentions: true })
  })

  it('finds a text across the edge of two chunks, and none that is not there', async () => {
    const edge = write(folder, 'r', `${'x'.repeat((1 << 18) - 4)}/ci/checkout${'y'.repeat(1000)}`)
    expect(await readArtifact(edge, '/ci/checkout')).toMatchObject({ mentions: true })
    expect(await readArtifact(edge, '/ci/elsewhere')).toMatchObject({ mentions: false })
    expect(await readArtifact(edge, '')).toMatchObject({ mentions: false })
  })

  it('tells by what a report carries source text, wherever chunks are cut, and of nothing else', async () => {
    const of = async (report: string) => (await readArtifact(write(folder, 'r', report), '')).embedsSource
    const filler = 'x'.repeat((1 << 18) - 20)
    expect(await of(`{"a":"${filler}","sourcesContent":["text"]}`)).toBe('the source maps of an Istanbul report')
    expect(await of('\uFEFF {"files":{"a.js":{"source":"text","mutants":[]}}}')).toBe('a mutation testing report')
    expect(await of('{"files":{"a.js":{"source":"text"}}}')).toBeUndefined()
    expect(await of('SF:"sourcesContent"\n')).toBeUndefined()
  })

  it('describes a broken gzip file by its stored bytes, so that it is sent and its refusal recorded', async () => {
    const cut = gzipSync(text).subarray(0, 100)
    const artifact = await readArtifact(write(folder, 'r', cut), '')
    expect(artifact).toMatchObject({ encoding: 'gzip', sha256: createHash('sha256').update(cut).digest('hex') })
  })

  it('takes a zstd window of 8 MiB and none that the service would refuse', async () => {
    for (const [log, isTaken] of [
      [23, true],
      [24, false],
    ] as const) {
      const params = { [constants.ZSTD_c_windowLog]: log }
      const bytes = await buffer(Readable.from([text]).pipe(createZstdCompress({ params })))
      const { sha256, file } = await readArtifact(write(folder, 'r', bytes), '')
      expect(sha256 === digest).toBe(isTaken)
      const read = buffer((await readDecoded(file)).chunks)
      await (isTaken ? expect(read).resolves.toHaveLength(text.length) : expect(read).rejects.toThrow('memory'))
    }
  })
})

describe('openArtifact', () => {
  it('compresses a plain report and tells how far it is', async () => {
    const seen: number[] = []
    const body = openArtifact(await readArtifact(write(folder, 'r', text), ''), (bytes) => seen.push(bytes))
    expect(body).toMatchObject({ encoding: 'zstd', contentDigest: undefined })
    expect(zstdDecompressSync(await buffer(body.stream)).toString()).toBe(text)
    expect(seen.at(-1)).toBe(text.length)
  })

  it.each([
    ['plain', text],
    ['gzip', gzipSync(text)],
  ])('breaks off when a %s file changed since it was read', async (_, bytes) => {
    const file = write(folder, 'r', bytes)
    const artifact = await readArtifact(file, '')
    writeFileSync(file, Buffer.concat([Buffer.from(bytes), Buffer.from('more')]))
    await expect(buffer(openArtifact(artifact, ignore).stream)).rejects.toThrow(/changed while it was sent/)
  })
})
