import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFilesDigest } from '../../src/admission/files-digest.ts'
import { createProduction, digestOfParts } from '../../src/admission/production.ts'
import { parseContract } from '../../src/contract/contract.ts'
import { inventoryPayloads } from '../../src/record/run.ts'
import { countTurns } from '../support/turns.ts'

const digestOf = (files: readonly { path: string; blob?: string }[]): string | undefined => {
  const digest = createFilesDigest()
  for (const file of files) digest.add(file)
  return digest.digest()
}

describe('createFilesDigest', () => {
  it('is the same in whatever order the files come, and another one for another path or blob', () => {
    const files = fc.uniqueArray(fc.record({ path: fc.string({ minLength: 1 }), blob: fc.string() }), { minLength: 1 })
    fc.assert(
      fc.property(files, fc.nat(), (list, at) => {
        expect(digestOf(list.toReversed())).toBe(digestOf(list))
        const changed = list.with(at % list.length, { path: `${list[at % list.length]?.path}x`, blob: 'b' })
        expect(digestOf(changed)).not.toBe(digestOf(list))
        expect(digestOf(list.slice(1))).not.toBe(digestOf(list))
      }),
    )
    expect(digestOf([])).toBeUndefined()
    expect(digestOf([{ path: 'a' }])).not.toBe(digestOf([{ path: 'a', blob: 'b' }]))
  })
})

describe('digestOfParts', () => {
  it('does not depend on their order, and is unknown as soon as one is', () => {
    const [a, b] = [{ files_digest: 'a' }, { files_digest: 'b' }]
    expect(digestOfParts([a, b])).toBe(digestOfParts([b, a, b]))
    expect(digestOfParts([a])).not.toBe(digestOfParts([a, b]))
    expect([digestOfParts([]), digestOfParts([a, {}])]).toEqual([undefined, undefined])
  })
})

describe('createProduction', () => {
  const commit = { ledger: 'main/unit', repository: 'r', commit: 'c' } as const
  const files = Array.from({ length: 5_000 }, (_, i) => ({
    path: `src/${String(i).padStart(5, '0')}.ts`,
    blob: 'b'.repeat(40),
  }))
  const payloads = inventoryPayloads('main/unit', 'r', 'c', files)

  it('goes over all windows of an inventory, once', async () => {
    let asked = 0
    const production = createProduction(async () => {
      asked++
      return payloads
    })
    const all = parseContract("version: 1\nproduction: { include: ['**'] }")
    const one = parseContract('version: 1\nproduction: { include: [src/04999.ts] }')
    const digest = await production.digestOf(commit, all)
    expect(await production.digestOf(commit, all)).toBe(digest)
    expect(asked).toBe(1)
    expect(digest).toBe(digestOf(files))
    expect(await production.digestOf(commit, one)).toBe(digestOf(files.slice(-1)))
  })

  it('lets others have their turn while the globs of a contract take their time', async () => {
    const many = Array.from({ length: 16 }, (_, i) => `'**/*?${'a'.repeat(100)}${i}/**'`)
    const slow = parseContract(`version: 1\nproduction: { include: [${many.join(',')}] }`)
    const long = Array.from({ length: 40_000 }, (_, i) => ({ path: `${'a'.repeat(200)}/${String(i).padStart(5, '0')}`, blob: 'b' })) // oxfmt-ignore
    const turns = await countTurns(() =>
      createProduction(async () => inventoryPayloads('main/unit', 'r', 'c', long)).digestOf(commit, slow),
    )
    expect(turns).toBeGreaterThan(3)
  })

  it('does not know without a contract that names files, and asks again for an inventory that has not come', async () => {
    let known: Uint8Array[] | undefined
    const production = createProduction(async () => known)
    const contract = parseContract("version: 1\nproduction: { include: ['**'] }")
    expect(await production.digestOf(commit, parseContract('version: 1'))).toBeUndefined()
    expect(await production.digestOf(commit, contract)).toBeUndefined()
    known = payloads
    expect(await production.digestOf(commit, contract)).toBe(digestOf(files))
  })
})
