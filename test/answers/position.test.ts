import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CursorBinding, createCursors, parseAsOf, printAsOf } from '../../src/answers/position.ts'
import { Problem } from '../../src/record/problem.ts'

const key = new Uint8Array(32).fill(7)
const cursors = createCursors(key)
const binding: CursorBinding = {
  ledger: 'main/unit',
  kinds: ['run', 'seal'],
  repository: 'github.com/acme/payments',
  until: '2026-11-23T05:00:00.000000Z',
}

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
  return 'none'
}

describe('cursors', () => {
  it('come back as the position they were made from, for every position', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (next) => {
        expect(cursors.parse(binding, cursors.print(binding, next))).toBe(next)
      }),
    )
  })

  it('do not depend on the order in which kinds are named', () => {
    const cursor = cursors.print(binding, 12)
    expect(cursors.parse({ ...binding, kinds: ['seal', 'run'] }, cursor)).toBe(12)
  })

  it.each([
    ['another ledger', { ...binding, ledger: 'main/integration' }],
    ['another org', { ...binding, ledger: 'other/unit' }],
    ['other kinds', { ...binding, kinds: ['run'] }],
    ['another repository', { ...binding, repository: 'github.com/acme/other' }],
    ['another end', { ...binding, until: '2026-11-23T05:00:00.000001Z' }],
    ['no filters', { ledger: 'main/unit' }],
  ] as [string, CursorBinding][])('are refused for %s', (_what, other) => {
    const cursor = cursors.print(binding, 12)
    expect(codeOf(() => cursors.parse(other, cursor))).toBe('cursor_invalid')
  })

  it('are refused when another key made them', () => {
    const foreign = createCursors(new Uint8Array(32).fill(8)).print(binding, 12)
    expect(codeOf(() => cursors.parse(binding, foreign))).toBe('cursor_invalid')
  })

  it('are refused with any one bit changed', () => {
    const bytes = Buffer.from(cursors.print(binding, 184_471), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(codeOf(() => cursors.parse(binding, changed.toString('base64url')))).toBe('cursor_invalid')
    }
  })

  it('are refused in any other spelling, and anything else is no cursor', () => {
    const cursor = cursors.print(binding, 3)
    for (const text of [
      '',
      'x',
      `${cursor}=`,
      `${cursor} `,
      ` ${cursor}`,
      `${cursor}A`,
      cursor.slice(1),
      '{}',
      cursor.slice(0, -1),
    ]) {
      expect(
        codeOf(() => cursors.parse(binding, text)),
        text,
      ).toBe('cursor_invalid')
    }
    fc.assert(fc.property(fc.string(), (text) => codeOf(() => cursors.parse(binding, text)) === 'cursor_invalid'))
  })
})

describe('as_of', () => {
  it('prints in one order and comes back', () => {
    const first = (size: number) => ({ generation: 1, size })
    const asOf = { changes: first(513), unit: first(184_471), integration: first(99_210) }
    expect(printAsOf(asOf)).toBe('unit:184471,integration:99210,changes:513')
    expect(parseAsOf('unit:184471,integration:99210,changes:513')).toEqual(asOf)
  })

  it.each([
    '',
    'unit',
    'unit:',
    'unit:01',
    'unit:-1',
    'unit:1,unit:2',
    'changes:1,unit:1',
    'unit:1,',
    'unit:1 ',
    'units:1',
    'unit:99999999999999999',
  ])('refuses %j', (text) => {
    expect(parseAsOf(text)).toBeUndefined()
  })
})
