import { z } from 'zod'
import type { ProblemCode } from '../record/problem.ts'

/**
 * One public route as a value. The service mounts it, the command line and the page call it, `openapi.yaml` is printed from it and the
 * access matrix is generated from it: what is not said here is not served.
 */

export const scopes = ['push', 'feed', 'audit', 'operate'] as const
export type Scope = (typeof scopes)[number]

/** Names in `path` stand between braces; one that ends in `*` takes the rest of the path. */
export type Fields = z.ZodObject<z.ZodRawShape>

export type Body =
  | { kind: 'none' }
  | { kind: 'json'; schema: z.ZodType }
  /** The bytes are handed on as they arrive, never gathered. `types` are for the reader of openapi.yaml. */
  | { kind: 'stream'; types: readonly string[]; what: string }

export interface Answer {
  status: 200 | 201 | 202 | 303 | 304 | 503
  what: string
  /** Absent for an answer without a body. */
  content?: Readonly<Record<string, z.ZodType>>
}

/** Who may call without a credential: nobody, everybody, a caller on this machine, or everybody when the log is published. */
export type Open = 'never' | 'always' | 'loopback' | 'published_log'

/**
 * Whether a use of the route is put on record in the ledger `operations`: `before` the answer, `summed` up per minute for whoever has the
 * scope audit and people who signed in, or not at all (DESIGN.md section 12). Whatever shows records, or answers made of them, is one of the first two.
 */
export type Recorded = 'no' | 'before' | 'summed'

export interface Route<
  P extends Fields = Fields,
  Q extends Fields = Fields,
  B extends Body = Body,
  N extends string = string,
> {
  /** Unique; the operationId of openapi.yaml. */
  name: N
  method: 'GET' | 'PUT' | 'POST'
  /** As in OpenAPI: `/v1/runs/{run}/parts`. */
  path: string
  summary: string
  /** Each of these is enough by itself. */
  scope: readonly Scope[]
  open: Open
  records: Recorded
  params: P
  query: Q
  body: B
  answers: readonly Answer[]
  /** The codes that this route adds to those every route can answer with. */
  problems: readonly ProblemCode[]
}

export function route<P extends Fields, Q extends Fields, B extends Body, N extends string>(
  value: Route<P, Q, B, N>,
): Route<P, Q, B, N> {
  const named = [...value.path.matchAll(/\{([a-z0-9_]+)\*?\}/g)].map((match) => match[1])
  const shaped = Object.keys(value.params.shape)
  if (named.length !== shaped.length || named.some((name) => name === undefined || !shaped.includes(name))) {
    throw new Error(`${value.path} names ${named.join(', ')} but its parameters are ${shaped.join(', ')}`)
  }
  return value
}

export const nothing = z.strictObject({})
export const noBody = { kind: 'none' } as const

/** What may follow any request with a credential; `openapi.yaml` lists these for every route. */
export const commonProblems: readonly ProblemCode[] = [
  'request_invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'request_timeout',
  'url_too_long',
  'rate_limited',
  'headers_too_large',
  'internal',
  'overloaded',
  'unavailable',
]
