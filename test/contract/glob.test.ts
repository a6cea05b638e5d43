import { matchesGlob } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../src/contract/glob.ts'

const takes = (pattern: string, path: string): boolean => compileGlob(pattern)(path)

describe('compileGlob', () => {
  it.each([
    ['src/**', ['src/a', 'src/a/b.ts', 'src/.hidden/x'], ['src', 'lib/a', 'asrc/a', 'a/src/b']],
    ['**', ['a', 'a/b'], []],
    ['**/*.ts', ['a.ts', 'a/b/c.ts', '.ts'], ['a.tsx', 'a.ts/b']],
    ['src/**/test/*', ['src/test/a', 'src/a/b/test/c'], ['src/test', 'src/test/a/b']],
    ['src/*.{ts,tsx}', ['src/a.ts', 'src/b.tsx'], ['src/a.js', 'src/a/b.ts']],
    ['{a,b/{c,d}}/e', ['a/e', 'b/c/e', 'b/d/e'], ['b/e', 'c/e']],
    ['a{,b}', ['a', 'ab'], ['b']],
    ['src/?.ts', ['src/a.ts'], ['src/.ts', 'src/ab.ts', 'src//ts']],
    ['v[0-9].[!x]', ['v1.0', 'v9.y'], ['v1.x', 'va.0', 'v10.0']],
    ['a[]b]c', ['a]c', 'abc'], ['acc']],
    ['refs/heads/release/*', ['refs/heads/release/1.2'], ['refs/heads/release/1/2', 'refs/heads/main']],
    ['a+(b).c', ['a+(b).c'], ['abb.c', 'ab.c']],
    ['a*a', ['aa', 'aba', 'aaa'], ['a', 'ab']],
    ['*ab*ab*', ['abab', 'xabxabx'], ['ab', 'aba', 'abxba']],
    ['Ünï/*', ['Ünï/ö'], ['ünï/ö']],
  ])('%s takes and leaves what it says', (pattern, taken, left) => {
    for (const path of taken) expect([path, takes(pattern, path)]).toEqual([path, true])
    for (const path of left) expect([path, takes(pattern, path)]).toEqual([path, false])
  })

  it.each([
    ['', /1 to 256/],
    ['a'.repeat(257), /1 to 256/],
    ['/src', /relative/],
    ['src/', /relative/],
    ['a//b', /relative/],
    ['a\\b', /backslash/],
    ['../a', /"\.\."/],
    ['./a', /"\."/],
    ['src/**.ts', /stands alone/],
    ['{a', /\{ without \}/],
    ['a}', /\} without \{/],
    ['[a', /\[ without \]/],
    ['a]', /\] without \[/],
    ['[b-a]', /a comes before b/],
    ['{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}', /64 alternatives/],
    ['{a,/b}', /no name/],
  ])('%s is refused with what is wrong', (pattern, reason) => {
    expect(() => compileGlob(pattern)).toThrow(reason)
  })

  it('agrees with node on every pattern that both know', () => {
    const atom = fc.constantFrom('a', 'b', 'ab', '*', '?', '[ab]', '[!a]', '{a,b}', '{a,ab}')
    const segment = fc.oneof(
      { weight: 4, arbitrary: fc.array(atom, { minLength: 1, maxLength: 4 }).map((atoms) => atoms.join('')) },
      { weight: 1, arbitrary: fc.constant('**') },
    )
    // Stars side by side are two stars here, and something else there.
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map((segments) => segments.map((one) => (one === '**' ? one : one.replaceAll(/\*+/g, '*'))).join('/'))
    const path = fc
      .array(fc.stringMatching(/^[abc]{1,4}$/), { minLength: 1, maxLength: 5 })
      .map((names) => names.join('/'))
    let matched = 0
    fc.assert(
      fc.property(pattern, path, (glob, name) => {
        fc.pre(glob.split('{').length <= 5) // more of them are more characters than are taken
        if (takes(glob, name)) matched++
        expect([glob, name, takes(glob, name)]).toEqual([glob, name, matchesGlob(name, glob)])
      }),
      { numRuns: 5_000 },
    )
    expect(matched).toBeGreaterThan(200)
  })

  it('ends on patterns that a backtracking matcher does not come back from', () => {
    expect(takes(`${'*a'.repeat(120)}b`, 'a'.repeat(1_024))).toBe(false)
    expect(takes(`${'**/a/'.repeat(48)}b`, `${'a/'.repeat(500)}c`)).toBe(false)
    expect(takes(`${'*'.repeat(1)}${'?*'.repeat(100)}`, 'a'.repeat(1_000))).toBe(true)
  })

  it('takes a path at one look where braces make the same of it many times, and no more than 2,048 characters of it', () => {
    expect(takes(`{${','.repeat(63)}}*${'a'.repeat(180)}b`, `${'a'.repeat(200)}b`)).toBe(true)
    const letters = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i)).join(',')
    expect(takes(`{${letters}}*${'a'.repeat(70)}`, `z${'a'.repeat(99)}`)).toBe(true)
    expect(() => takes(`{${letters}}*${'a'.repeat(100)}`, 'z')).toThrow('more than 2048 characters')
  })
})
