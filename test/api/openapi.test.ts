import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { printOpenapi } from '../../src/api/openapi.ts'
import { noBody, nothing, route } from '../../src/api/route.ts'
import { routes } from '../../src/api/routes.ts'
import { problems } from '../../src/record/problem.ts'

interface Operation {
  operationId: string
  security: unknown[]
  parameters?: { name: string; in: string; required?: boolean }[]
  responses: Record<string, { description: string; content?: Record<string, unknown> }>
}

const text = printOpenapi(routes, '0.1.0')
const document = parse(text) as {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown> }
}

describe('openapi.yaml', () => {
  it('is the same text every time', () => {
    expect(printOpenapi(routes, '0.1.0')).toBe(text)
  })

  it('is OpenAPI 3.1 and holds every route once', () => {
    expect(document.openapi).toBe('3.1.0')
    const printed = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`),
    )
    expect(printed.toSorted()).toEqual(
      routes.map(({ method, path, name }) => `${method} ${path.replace('*}', '}')} ${name}`).toSorted(),
    )
  })

  it('refers to no schema that it does not hold', () => {
    for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
      expect(Object.keys(document.components.schemas)).toContain(name)
  })

  it('names every problem of a route at its status, and every path parameter', () => {
    for (const route of routes) {
      const operation = document.paths[route.path.replace('*}', '}')]![route.method.toLowerCase()]!
      for (const code of route.problems)
        expect(operation.responses[problems[code].status]?.description, `${route.name} ${code}`).toContain(code)
      const inPath = operation.parameters?.filter((parameter) => parameter.in === 'path').map(({ name }) => name) ?? []
      expect(inPath.toSorted()).toEqual(Object.keys(route.params.shape).toSorted())
    }
  })

  it('says which routes need a credential', () => {
    for (const route of routes) {
      const { security } = document.paths[route.path.replace('*}', '}')]![route.method.toLowerCase()]!
      expect(security.some((way) => Object.keys(way as object).length === 0)).toBe(route.open !== 'never')
    }
  })
})

describe('routes', () => {
  it('have names and places of their own', () => {
    expect(new Set(routes.map(({ name }) => name)).size).toBe(routes.length)
    expect(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size).toBe(routes.length)
  })

  it('are never open by mistake: what has no scope is open always', () => {
    for (const { name, scope, open } of routes) expect([name, scope.length === 0]).toEqual([name, open === 'always'])
  })

  it('cannot forget a path parameter', () => {
    const shape = {
      name: 'x',
      method: 'GET',
      summary: '',
      scope: ['feed'],
      open: 'never',
      records: 'no',
      query: nothing,
      body: noBody,
      answers: [],
      problems: [],
    } as const
    expect(() => route({ ...shape, path: '/v1/{a}/{b}', params: z.strictObject({ a: z.string() }) })).toThrow(
      'names a, b but its parameters are a',
    )
    expect(() =>
      route({ ...shape, path: '/v1/{a}/{rest*}', params: z.strictObject({ a: z.string(), rest: z.string() }) }),
    ).not.toThrow()
  })
})
