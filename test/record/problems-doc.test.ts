import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { problems } from '../../src/record/problem.ts'

const text = readFileSync(new URL('../../docs/problems.md', import.meta.url), 'utf8')
const documented = [...text.matchAll(/^\| `([a-z_]+)` \| (\d+) \| (\d) \| \S/gm)].map(([, code, status, exit]) => [
  code,
  Number(status),
  Number(exit),
])

describe('docs/problems.md', () => {
  it('names every problem code once, in the order of the table, with its status and exit code', () => {
    expect(documented).toEqual(Object.entries(problems).map(([code, { status, exit }]) => [code, status, exit]))
  })
})
