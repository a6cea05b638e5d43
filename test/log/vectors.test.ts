import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeHash } from '../../src/log/base64.ts'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { parseDecimal } from '../../src/log/log-error.ts'
import { verifyConsistency } from '../../src/log/merkle-proof.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { sha256Hex } from '../../src/record/sha256.ts'

const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as {
  origin: string
  originHash: string
  keys: { vkey: string }[]
  roots: { size: number; root: string }[]
  addCheckpointRequest: string
  addCheckpointFirst: string
}
const keys = vectors.keys.map(({ vkey }) => parseVkey(vkey))
const rootAt = (size: number): Uint8Array =>
  Uint8Array.from(Buffer.from(vectors.roots.find((known) => known.size === size)?.root ?? '', 'hex'))

describe('the golden vectors', () => {
  it('are all used: each section by some test of this folder', () => {
    const texts = readdirSync(import.meta.dirname)
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
      .join('')
    const sections = Object.keys(vectors).filter((name) => name !== 'note')
    expect(sections.filter((name) => !texts.includes(`vectors.${name}`))).toEqual([])
  })

  it('name a log by the hash of its origin where a witness publishes', () => {
    expect(sha256Hex(new TextEncoder().encode(vectors.origin))).toBe(vectors.originHash)
  })

  it.each([
    ['addCheckpointRequest', vectors.addCheckpointRequest] as const,
    ['addCheckpointFirst', vectors.addCheckpointFirst] as const,
  ])('hold a request to a witness that proves what it says: %s', async (_name, request) => {
    const middle = request.indexOf('\n\n')
    const [old = '', ...lines] = request.slice(0, middle).split('\n')
    const from = parseDecimal(old.replace(/^old /, ''), 'the old size')
    const proof = lines.map((line) => decodeHash(line) ?? new Uint8Array(0))
    const { size, root } = await openCheckpoint(request.slice(middle + 2), vectors.origin, keys)
    expect(root).toEqual(rootAt(size))
    if (from === 0) expect(proof).toEqual([])
    else expect(verifyConsistency({ from, to: size, fromRoot: rootAt(from), toRoot: root, proof })).toBe(true)
  })
})
