import { describe, expect, it } from 'vitest'
import { withoutTrailing } from '../../src/record/trailing.ts'

describe('withoutTrailing', () => {
  it.each([
    ['https://a/b//', '/', 'https://a/b'],
    ['a/b', '/', 'a/b'],
    ['///', '/', ''],
    ['', '/', ''],
    ['a\\/\\', '\\/', 'a'],
    ['-.a.-', '-.', '-.a'],
  ])('makes of %j without %j %j', (text, characters, expected) => {
    expect(withoutTrailing(text, characters)).toBe(expected)
  })
})
