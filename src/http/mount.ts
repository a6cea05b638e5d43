import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type Principal, anonymous } from '../access/principal.ts'
import { localPath } from '../api/login.ts'
import type { Body, Route } from '../api/route.ts'
import { DatabaseFailure } from '../database/failure.ts'
import { plainReason } from '../record/plain-reason.ts'
import { Problem } from '../record/problem.ts'
import type { Logger } from '../telemetry/logger.ts'
import { countedAs, createMatcher, isFromHere } from './address.ts'
import { sendProblem, toProblem } from './answer.ts'
import { readBody, readJson } from './body.ts'
import { whenOver } from './connections.ts'
import { type SessionDoor, identify, showsNothing } from './credential.ts'
import { createGate } from './gate.ts'
import { type RateLimiter, createRateLimiter, rateHeaders, secondsUntil } from './rate.ts'
import type { HttpSettings } from './settings.ts'
import { inSpan, noteInSpan } from './trace.ts'
import { withinTime } from './work-time.ts'

/** The one way from a route to its handler: credential, scope, parse, access record, handler, answer. Nothing is read before the scope is. */
export type Mount = <R extends Route>(route: R, handler: (call: Call<R>) => Promise<Reply>) => void

/** A request that is allowed and parsed. */
export interface Call<R extends Route> {
  who: Principal
  params: z.output<R['params']>
  query: z.output<R['query']>
  body: BodyOf<R['body']>
  headers: IncomingHttpHeaders
  /** The request was HEAD: whatever body is answered is not sent, so none need be made. */
  isHead: boolean
  /** Scheme and host that links are made of. */
  baseUrl: string
  /** Aborts when the caller is gone or the service stops. */
  signal: AbortSignal
}

type BodyOf<B extends Body> = B extends { kind: 'json'; schema: infer S extends z.ZodType }
  ? z.output<S>
  : B extends { kind: 'stream' }
    ? AsyncIterable<Uint8Array>
    : undefined

export interface Reply {
  /** 200 unless told. */
  status?: number
  headers?: Readonly<Record<string, string | string[]>>
  /** Without a type the body is printed as JSON. */
  type?: string
  body?: unknown
  /** The repository that the answer is about, where the query does not say it: what is summed of uses names it. */
  about?: string
}

/** A use that goes on record (Route.records). Rejecting refuses the request: what cannot be recorded is not shown. */
export interface Use {
  who: Principal
  route: string
  params: Readonly<Record<string, unknown>>
  /** What was asked about, where that is one repository. */
  repository: string | undefined
  records: 'before' | 'summed'
}

export interface MountDeps {
  authenticate: (authorization: string | undefined) => Promise<Principal | undefined>
  recordUse: (use: Use) => Promise<void>
  /** Of people who signed in, where `login` is configured. */
  sessions?: SessionDoor | undefined
  /** Whether /log is served without a credential. */
  logPublic: boolean
  log: Logger
  now: () => Date
  stopping: AbortSignal
}

export function createMount(app: FastifyInstance, settings: HttpSettings, deps: MountDeps): Mount {
  const { limits } = settings
  const { authenticate, now, stopping } = deps
  const refusals = createRateLimiter(limits.refusals_per_minute, now)
  const requests = createRateLimiter(limits.requests_per_minute, now)
  const openRequests = createRateLimiter(limits.open_requests_per_minute, now)
  const isProxy = createMatcher(settings.trusted_proxies)
  const uploads = createGate(limits.uploads, limits.uploads_per_identity)

  let underWay = 0

  // One listener for all: thousands of requests come and go on the same signal.
  const live = new Set<AbortController>()
  stopping.addEventListener('abort', () => live.forEach((gone) => gone.abort()))
  const controllerOf = (request: FastifyRequest, reply: FastifyReply): AbortController => {
    const gone = new AbortController()
    live.add(gone)
    whenOver(request.raw, reply.raw, () => {
      live.delete(gone)
      gone.abort()
    })
    return gone
  }

  const refuseOver = (limiter: RateLimiter, key: string, counting: boolean, reply: FastifyReply): void => {
    const allowance = counting ? limiter.take(key) : limiter.look(key)
    if (counting || !allowance.allowed) reply.headers(rateHeaders(allowance, now()))
    if (allowance.allowed) return
    reply.header('retry-after', secondsUntil(allowance.resetAt, now()))
    throw new Problem('rate_limited', `more than ${allowance.limit} requests a minute`)
  }

  /** What shows nothing is no refusal: else any page could have the browsers of an office lock its address out. */
  const isEmpty = ({ headers }: FastifyRequest): boolean => showsNothing(headers, deps.sessions?.cookies)
  const countRefusal = (request: FastifyRequest, error: unknown): void => {
    // A database that does not answer is nobody's guess: counted, it would keep everybody out when it answers again.
    const isRefused = error instanceof Problem && !(error instanceof DatabaseFailure)
    if (isRefused && !isEmpty(request)) refusals.take(countedAs(request.ip))
  }

  const isOpen = ({ open }: Route, request: FastifyRequest): boolean =>
    open === 'published_log' ? deps.logPublic : open === 'loopback' && isFromHere(request.raw, isProxy)

  /** Throws what `identify` does, forbidden or rate_limited. */
  const admit = async (route: Route, request: FastifyRequest, reply: FastifyReply): Promise<Principal> => {
    const { authorization } = request.headers
    const address = countedAs(request.ip)
    if (isSignIn(route)) refuseOver(refusals, address, false, reply)
    if (route.open === 'always' || (authorization === undefined && isOpen(route, request))) {
      refuseOver(openRequests, address, true, reply)
      return anonymous
    }
    refuseOver(refusals, address, false, reply)
    if (isEmpty(request)) refuseOver(openRequests, address, true, reply)
    const who = await identify(request.raw, authenticate, deps.sessions).catch((error: unknown) => {
      countRefusal(request, error) // also forbidden and unavailable, of identities of others
      if (error instanceof Problem && error.code === 'unauthenticated')
        reply.header('www-authenticate', 'Bearer realm="proofline"')
      throw error
    })
    refuseOver(requests, who.id, true, reply)
    if (!route.scope.some((scope) => who.scopes.has(scope))) {
      throw new Problem('forbidden', `this needs the scope ${route.scope.join(' or ')}`)
    }
    return who
  }

  const bodyOf = async (
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
    sha256: string | undefined,
  ): Promise<unknown> => {
    const { kind } = route.body
    if (kind === 'none') return undefined
    // Who asked first whether to send is told now, behind all that could have refused it (server.ts keeps node from saying it before).
    if (request.headers.expect !== undefined && request.raw.httpVersion === '1.1') reply.raw.writeContinue()
    if (kind === 'stream')
      return readBody(request.raw, { maxBytes: streamLimit(route, settings), idleMs: limits.body_idle_ms })
    const read = {
      maxBytes: limits.json_bytes,
      maxDepth: limits.json_depth,
      idleMs: limits.body_idle_ms,
      totalMs: limits.json_timeout_ms,
      sha256,
    }
    return parse(route.body.schema, await readJson(request.raw, read), 'body')
  }

  return (route, handler) => {
    const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      if (underWay >= limits.requests && (route.open !== 'always' || isSignIn(route)))
        throw new Problem('overloaded', `${limits.requests} requests are under way already`)
      underWay += 1
      whenOver(request.raw, reply.raw, () => (underWay -= 1))
      if (stopping.aborted) throw new Problem('unavailable', 'the service is stopping')
      const who = await admit(route, request, reply)
      const signed = who.bound?.request
      if (signed !== undefined && signed.target !== `${request.method} ${request.raw.url}`)
        throw new Problem('identity_mismatch', `what was signed is ${signed.target}`)
      const params = parse(route.params, pathParams(route, request.params), 'path') as Record<string, unknown>
      const query = parse(route.query, request.query, 'query') as Record<string, unknown>
      if (typeof params['run'] === 'string') noteInSpan(request, 'proofline.run', params['run'])
      const leave = route.body.kind === 'stream' ? uploads.enter(who.id) : undefined
      try {
        const body = await bodyOf(route, request, reply, signed?.sha256)
        // What was asked for is a part of what is on record; a body of JSON says it, as path and query do.
        const asked =
          route.records === 'before' && route.body.kind === 'json' ? { ...params, ...(body as object) } : params
        let about = typeof query['repository'] === 'string' ? query['repository'] : undefined
        if (route.records === 'before')
          await deps.recordUse({ who, route: route.name, params: asked, repository: about, records: 'before' })
        const gone = controllerOf(request, reply)
        const call = {
          who,
          params,
          query,
          body,
          headers: request.headers,
          isHead: request.method === 'HEAD',
          baseUrl: baseUrlOf(settings, request),
          signal: gone.signal,
        }
        try {
          const work = handler(call as Call<typeof route>) // parsed above by the very shapes that Call is made of
          // An upload takes as long as it arrives: request_timeout_ms.
          const answer = await (leave === undefined ? withinTime(work, limits.work_ms, () => gone.abort()) : work)
          about ??= answer.about
          if (answer.body instanceof Readable) tellWhenBroken(answer.body, request.id, route.name, deps.log)
          return send(reply, answer)
        } finally {
          // What was asked for and not given is a use as well. Behind the answer, since only that may know the repository.
          if (route.records === 'summed' && isReader(who))
            await deps.recordUse({ who, route: route.name, params: asked, repository: about, records: 'summed' })
        }
      } finally {
        leave?.()
      }
    }

    app.route({
      method: route.method,
      url: route.path.replace(/\{\w+\*\}/, '*').replace(/\{(\w+)\}/g, ':$1'),
      handler: (request, reply) =>
        inSpan(request, route.path, async () => {
          try {
            return await serve(request, reply)
          } catch (error) {
            const problem = toProblem(error)
            if (problem === undefined) throw error
            if (problem.code === 'integrity')
              deps.log.error('record.failed', { route: route.name, detail: problem.message })
            if (isSignIn(route) && ['unauthenticated', 'forbidden'].includes(problem.code))
              countRefusal(request, problem)
            return sendProblem(reply, problem, deps.sessions === undefined ? undefined : backTo(request))
          }
        }),
    })
  }
}

/** Whose reads go on record: who audits, and people whatever their role gives. What a program pulls shows as a consumer. */
const isReader = ({ scopes, method }: Principal): boolean => scopes.has('audit') || method === 'login'

/** Asks for no credential and yet refuses people: each refusal counts against their address, as one of a credential does. */
const isSignIn = ({ open, problems }: Route): boolean => open === 'always' && problems.includes('unauthenticated')

/** Where a browser comes back to after a sign-in; what was a step of one begins again at the page. */
function backTo({ method, url }: FastifyRequest): string {
  return method === 'GET' && !url.startsWith('/login') && localPath.safeParse(url).success ? url : '/'
}

/** `*` is what find-my-way calls the rest of a path. */
function pathParams(route: Route, params: unknown): unknown {
  const rest = /\{(\w+)\*\}/.exec(route.path)?.[1]
  if (rest === undefined) return params
  const { '*': value, ...others } = params as Record<string, unknown>
  return { ...others, [rest]: value }
}

function parse<S extends z.ZodType>(shape: S, value: unknown, where: 'path' | 'query' | 'body'): z.output<S> {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.slice(0, 20).map(({ path, message }) => ({
    where: [where, ...path.map(String)].join('.').slice(0, 400), // both hold names that somebody made up
    reason: plainReason(message).slice(0, 400),
  }))
  const detail = errors.map((error) => `${error.where}: ${error.reason}`).join('; ')
  throw new Problem('request_invalid', detail, { extra: { errors } })
}

function streamLimit(route: Route, { limits }: HttpSettings): number {
  if (route.name === 'putInventory') return limits.inventory_bytes
  return route.name === 'putLineMaps' ? limits.line_map_bytes : limits.part_bytes
}

function baseUrlOf(settings: HttpSettings, request: FastifyRequest): string {
  if (settings.public_url !== undefined) return settings.public_url
  // The Host header is the caller's own word and goes back to no one else; what is no host at all gives links without one.
  return /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(request.host)
    ? `${request.protocol}://${request.host}`
    : ''
}

function send(reply: FastifyReply, answer: Reply): FastifyReply {
  reply.code(answer.status ?? 200).headers(answer.headers ?? {})
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  if (answer.body === undefined) return reply.send()
  if (answer.type === undefined)
    return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(answer.body)))
  return reply.header('content-type', answer.type).send(answer.body as string | Buffer | Readable)
}

/** A stream that fails behind its head is cut off: the client sees an end too early, and only the log can say why. */
function tellWhenBroken(body: Readable, request: string, route: string, log: Logger): void {
  body.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') log.error('answer.broken', { request, route, error })
  })
}
