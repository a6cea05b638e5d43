import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { isDeeper } from '../../src/http/body.ts'
import { type Served, serve } from './serve.ts'

describe('isDeeper', () => {
  const deeper = (json: string, most: number): boolean => isDeeper(Buffer.from(json), most)

  it('counts objects and arrays that stand in one another, and nothing within texts', () => {
    expect([deeper('[[1],[2],{"a":3}]', 2), deeper('[[1],[2],{"a":[3]}]', 2)]).toEqual([false, true])
    expect([deeper('"[[[["', 0), deeper('["\\"[[[[",["\\\\",[]]]', 3), deeper('["\\"[[[[",["\\\\",[]]]', 2)]).toEqual([
      false,
      false,
      true,
    ])
    expect([deeper('', 1), deeper('"[', 0), deeper('"\\', 0), deeper(']]]]', 0)]).toEqual([false, false, false, false])
  })

  it('agrees with what JSON.parse makes of it', () => {
    const depthOf = (value: unknown): number =>
      typeof value !== 'object' || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf))
    let state = 7
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below
    const make = (depth: number): unknown => {
      if (depth === 0 || random(4) === 0) return ['[', '{"', '\\', '\\"]', 7, null][random(6)]
      const members = Array.from({ length: random(4) }, () => make(depth - 1))
      return random(2) === 0 ? members : Object.fromEntries(members.map((value, i) => [`${i}"[{`, value]))
    }
    for (let i = 0; i < 500; i++) {
      const value = make(8)
      const json = JSON.stringify(value, undefined, random(3))
      const depth = depthOf(value)
      expect([deeper(json, depth), depth > 0 && deeper(json, depth - 1)], json).toEqual([false, depth > 0])
    }
  })
})

describe('a body that is nested very deep', () => {
  let served: Served
  beforeAll(async () => {
    served = await serve()
  })
  afterAll(() => served.close())

  it.each(
    routes.filter(({ body }) => body.kind === 'json').map(({ name, method, path }) => [name, method, path] as const),
  )('is refused by %s', async (_name, method, path) => {
    for (const [begin, end] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const)
      for (const body of [begin.repeat(100) + '1' + end.repeat(100), begin.repeat(1_000_000 / begin.length)]) {
        const init = { method, body, headers: { 'content-type': 'application/json' }, token: 'all' }
        const answer = await served.fetch(path.replace(/\{\w+\*?\}/g, 'x').replace('/runs/x', '/runs/a.b.c.unit'), init)
        const document = (await answer.json()) as { code: string; detail: string }
        expect([answer.status, document.code]).toEqual([400, 'request_invalid'])
        if (!document.detail.startsWith('path.')) expect(document.detail).toContain('nested deeper than 64 levels')
      }
  })
})
