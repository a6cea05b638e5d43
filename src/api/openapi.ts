import { stringify } from 'yaml'
import { z } from 'zod'
import {
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
  createDocument,
} from 'zod-openapi'
import { type ProblemCode, problems } from '../record/problem.ts'
import { type Route, commonProblems } from './route.ts'

const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('stable; never changes its meaning'),
    detail: z.string(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' })

/** `openapi.yaml` of these routes, OpenAPI 3.1. The same routes give the same bytes. */
export function printOpenapi(routes: readonly Route[], version: string): string {
  const paths: ZodOpenApiPathsObject = {}
  for (const route of routes) {
    const path = route.path.replaceAll('*}', '}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  const document = createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Proofline',
        version,
        summary: 'The write-once compliance sink for code coverage',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      paths,
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } }, schemas: { Problem: problem } },
    },
    { reused: 'inline' },
  )
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 120 })
}

function operation(route: Route): ZodOpenApiOperationObject {
  const responses: Record<string, ZodOpenApiResponseObject> = {}
  for (const { status, what, content = {} } of route.answers) {
    const shapes = Object.entries(content).map(([type, schema]) => [type, { schema }])
    responses[`${status}`] = {
      description: what,
      ...(shapes.length === 0 ? {} : { content: Object.fromEntries(shapes) }),
    }
  }
  for (const [status, codes] of problemsByStatus(route)) {
    // A status may carry an answer of the route's own too (503 of /readyz); that one is said above.
    responses[`${status}`] ??= {
      description: codes.map((code) => `\`${code}\`: ${problems[code].title}`).join('\n'),
      content: { 'application/problem+json': { schema: problem } },
    }
  }
  return {
    operationId: route.name,
    summary: route.summary,
    ...(route.scope.length === 0 ? {} : { description: describeAccess(route) }),
    security: [...(route.scope.length === 0 ? [] : [{ bearer: [] }]), ...(route.open === 'never' ? [] : [{}])],
    requestParams: { path: route.params, query: route.query },
    ...(route.body.kind === 'none' ? {} : { requestBody: requestBody(route.body) }),
    responses,
  }
}

function requestBody(
  body: Exclude<Route['body'], { kind: 'none' }>,
): NonNullable<ZodOpenApiOperationObject['requestBody']> {
  if (body.kind === 'json') return { required: true, content: { 'application/json': { schema: body.schema } } }
  const bytes = { schema: { type: 'string', format: 'binary' } } as const
  return {
    // JSON lines may be none at all: a list of nothing.
    required: !(body.types as readonly string[]).every((type) => type === 'application/x-ndjson'),
    description: body.what,
    content: Object.fromEntries(body.types.map((type) => [type, bytes])),
  }
}

function describeAccess(route: Route): string {
  const scopes = `Scope: ${route.scope.map((scope) => `\`${scope}\``).join(' or ')}.`
  if (route.open === 'loopback') return `${scopes} Callers on the same machine need no credential.`
  if (route.open === 'published_log') return `${scopes} Public where the log is published.`
  return scopes
}

function problemsByStatus(route: Route): [number, ProblemCode[]][] {
  const common =
    route.scope.length === 0
      ? commonProblems.filter((code) => !['unauthenticated', 'forbidden', 'not_found'].includes(code))
      : commonProblems
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of new Set([...common, ...route.problems])) {
    const { status } = problems[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return [...byStatus].toSorted(([a], [b]) => a - b)
}
