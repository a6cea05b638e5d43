import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as node from '../../src/record/sha256.ts'
import * as page from '../../src/web/sha256.ts'

describe('the SHA-256 of the page', () => {
  it('is that of node for every length to 260, and for any bytes', () => {
    for (let length = 0; length < 260; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255)
      expect(page.sha256Hex(bytes)).toBe(node.sha256Hex(bytes))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
        expect(page.sha256(bytes)).toEqual(Uint8Array.from(node.sha256(bytes)))
      }),
    )
  })

  it('has the exports of the file it stands in for, and writes into the array that it reads', () => {
    expect(Object.keys(page).toSorted()).toEqual(Object.keys(node).toSorted())
    const [ours, theirs] = [new Uint8Array(200).fill(7), new Uint8Array(200).fill(7)]
    page.sha256Into(ours.subarray(0, 65), ours, 20)
    node.sha256Into(theirs.subarray(0, 65), theirs, 20)
    expect(ours).toEqual(theirs)
    const digest = node.sha256(theirs)
    for (const { sha256Meets } of [page, node]) {
      expect(sha256Meets(theirs, Uint8Array.of(9, ...digest), 1, 32)).toBe(true)
      expect(sha256Meets(theirs, digest.subarray(0, 8), 0, 8)).toBe(true)
      expect(sha256Meets(theirs, digest.subarray(0, 8), 0, 9)).toBe(false)
      expect(sha256Meets(theirs, digest.with(7, (digest[7] ?? 0) ^ 1), 0, 8)).toBe(false)
    }
  })
})
