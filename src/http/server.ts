import { randomUUID } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { type Server as HttpsServer, createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import helmet from '@fastify/helmet'
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import type { Principal } from '../access/principal.ts'
import type { Route } from '../api/route.ts'
import { Problem } from '../record/problem.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createMatcher } from './address.ts'
import { printRawProblem, sendProblem, toProblem } from './answer.ts'
import { type Pipelines, boundConnections, createPipelines, discardRest, hangUp } from './connections.ts'
import type { SessionDoor } from './credential.ts'
import { type Mount, type Use, createMount } from './mount.ts'
import { contentPolicy } from './page-html.ts'
import { isPathOf } from './route-path.ts'
import type { HttpSettings } from './settings.ts'
import { cutSlowReader } from './slow-reader.ts'
import { type ShownCertificate, type Tls, openTls } from './tls.ts'
import { traceRequests } from './trace.ts'

/** The public face: one listening socket, every limit of settings.ts, problem documents for whatever goes wrong. */
export interface HttpServer {
  mount: Mount
  /** After all routes are mounted. Answers the URL that it listens at. */
  listen(): Promise<string>
  /** What it shows to who connects; undefined without TLS. */
  certificate(): ShownCertificate | undefined
  /** Reads certificate and key again now. */
  reload(): void
  /** Takes no more requests, ends long polls, gives what is under way `shutdown_ms`, then closes what is left. Safe to call twice. */
  close(): Promise<void>
}

export interface ServerDeps {
  authenticate: (authorization: string | undefined) => Promise<Principal | undefined>
  recordUse: (use: Use) => Promise<void>
  logPublic: boolean
  sessions?: SessionDoor | undefined
  log: Logger
  /** Each answer, by the pattern of its route, never its path; undefined where no route was met. */
  onAnswer?: (method: string, route: string | undefined, status: number, seconds: number) => void
  now?: () => Date
}

export async function createServer(settings: HttpSettings, deps: ServerDeps): Promise<HttpServer> {
  const { limits } = settings
  const { log, now = () => new Date() } = deps
  const stopping = new AbortController()
  const tls = settings.tls === undefined ? undefined : openTls(settings.tls, log)
  const pipelines = createPipelines(limits.pipelined)
  const app = createApp(settings, tls, pipelines)
  boundConnections(app.server, limits.connections_per_address, createMatcher(settings.trusted_proxies), log)
  const mounted: Route[] = []

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (stopping.signal.aborted) reply.header('connection', 'close')
    if (!pipelines.mayGoOn(request.raw, reply.raw)) return reply.hijack()
    if ((request.raw.headersDistinct['host']?.length ?? 0) > 1)
      throw new Problem('request_invalid', 'there is more than one Host header')
    if (request.raw.rawHeaders.length > limits.headers * 2)
      throw new Problem('headers_too_large', `the request has more than ${limits.headers} headers`)
    if (request.url.length > limits.url_bytes)
      throw new Problem('url_too_long', `path and query have more than ${limits.url_bytes} bytes`)
    return undefined
  })
  app.addHook('onSend', async (request, reply) => {
    cutSlowReader(request.raw, reply.raw, limits, (why) =>
      log.warn('answer.cut', { request: request.id, url: shownUrl(request.url), why }),
    )
  })
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: contentPolicy(deps.sessions !== undefined) },
    // Two years, where callers come by https. Of other names below this one we know nothing.
    strictTransportSecurity: isByHttps(settings) ? { maxAge: 63_072_000, includeSubDomains: false } : false,
    frameguard: { action: 'deny' },
    // Not `no-referrer`: with it browsers say `Origin: null` of our own form, which those without Sec-Fetch-Site are told apart by.
    referrerPolicy: { policy: 'same-origin' },
  })
  traceRequests(app)

  // No parser of fastify's: mount.ts reads bodies itself, each by the limits of its route.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  const sendNotFound = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?', 1)[0] ?? ''
    const methods = mounted.filter((route) => isPathOf(route.path, path)).map(({ method }) => method)
    if (methods.length === 0) return sendProblem(reply, new Problem('not_found', `there is no ${path}`))
    const allowed = [...new Set(methods.flatMap((method) => (method === 'GET' ? [method, 'HEAD'] : [method])))].join(
      ', ',
    )
    reply.header('allow', allowed)
    return sendProblem(reply, new Problem('method_not_allowed', `${path} takes ${allowed}`))
  }
  app.setErrorHandler((error, request, reply) => {
    // fastify looks at the content type first, also of what no route takes.
    if (request.is404 && !(error instanceof Problem)) return sendNotFound(request, reply)
    const problem = toProblem(error)
    if (problem !== undefined) return sendProblem(reply, problem)
    const stack = error instanceof Error ? error.stack : String(error)
    log.error('request.failed', {
      request: request.id,
      method: request.method,
      url: shownUrl(request.url),
      error: stack,
    })
    return sendProblem(reply, new Problem('internal', `the request ${request.id} failed here`))
  })
  app.setNotFoundHandler(sendNotFound)
  app.addHook('onResponse', async (request, reply) => {
    discardRest(request.raw, limits.linger_ms)
    deps.onAnswer?.(request.method, request.routeOptions.url, reply.statusCode, reply.elapsedTime / 1_000)
    if (request.method === 'GET' && reply.statusCode < 500) return
    const fields = {
      request: request.id,
      method: request.method,
      url: shownUrl(request.url),
      run: (request.params as { run?: string } | undefined)?.run, // fastify's params are the names in the pattern
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    }
    if (reply.statusCode >= 500) log.warn('request.answered', fields)
    else log.info('request.answered', fields)
  })

  const mount = createMount(app, settings, { ...deps, now, stopping: stopping.signal })
  let closing: Promise<void> | undefined

  const close = async (): Promise<void> => {
    stopping.abort()
    tls?.close()
    const force = setTimeout(() => app.server.closeAllConnections(), limits.shutdown_ms)
    // A connection that falls idle only now would otherwise be kept alive until the end.
    const sweep = setInterval(() => app.server.closeIdleConnections(), 50)
    try {
      await app.close()
    } finally {
      clearTimeout(force)
      clearInterval(sweep)
    }
  }

  return {
    mount: (route, handler) => {
      mounted.push(route)
      mount(route, handler)
    },
    async listen() {
      await app.listen({ host: settings.host, port: settings.port, backlog: 511 }).catch((error: unknown) => {
        throw toListenProblem(error, settings)
      })
      const { address, family, port } = app.server.address() as AddressInfo // a TCP server has one; pipes are not offered
      const host = family === 'IPv6' ? `[${address}]` : address
      return `${settings.tls === undefined ? 'http' : 'https'}://${host}:${port}`
    },
    certificate: () => tls?.certificate(),
    reload: () => tls?.reload(),
    close: () => (closing ??= close()),
  }
}

/** What the issuer sends back with a browser is nobody's to read. */
const shownUrl = (url: string): string => (url.startsWith('/login') ? url.replace(/\?.*/, '') : url)

/** Here, or in the proxy in front. */
const isByHttps = ({ tls, public_url: url }: HttpSettings): boolean =>
  tls !== undefined || url?.startsWith('https:') === true

function createApp(settings: HttpSettings, tls: Tls | undefined, pipelines: Pipelines): FastifyInstance {
  const { limits } = settings
  const node = {
    insecureHTTPParser: false,
    requireHostHeader: true,
    maxHeaderSize: limits.header_bytes,
    headersTimeout: limits.headers_timeout_ms,
    requestTimeout: limits.request_timeout_ms,
    connectionsCheckingInterval: limits.check_ms,
    keepAliveTimeout: limits.keep_alive_ms,
    noDelay: true,
  }
  const options: FastifyServerOptions = {
    logger: false,
    trustProxy: settings.trusted_proxies.length === 0 ? false : settings.trusted_proxies,
    serverFactory: (handler) =>
      tls === undefined
        ? createHttpServer(node, handler)
        : createHttpsServer({ ...node, ...tls.options, handshakeTimeout: limits.headers_timeout_ms }, handler),
    forceCloseConnections: 'idle',
    return503OnClosing: false, // mount.ts says so itself, as a problem document
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID()
    },
    routerOptions: { maxParamLength: 1_024 },
    // What has no path that could be decoded meets none of the hooks.
    frameworkErrors: (error, request, reply) => {
      discardRest(request.raw, limits.linger_ms)
      void sendProblem(reply, toProblem(error) ?? new Problem('request_invalid', error.message))
    },
    clientErrorHandler: (error, socket) => {
      // Before both sides agreed on TLS nothing can be said; what is written then keeps the connection for ever.
      const isAgreed = !(socket instanceof TLSSocket) || socket.getPeerFinished() !== undefined
      if (socket.writable && isAgreed && !pipelines.isAnswering(socket))
        hangUp(socket, printRawProblem(error), limits.linger_ms)
      else socket.destroy()
    },
  }
  const app: FastifyInstance = fastify(options)
  app.server.maxConnections = limits.connections
  app.server.maxHeadersCount = 0 // node would leave those out that are too many, without a word
  // Left to node, who asks whether to send would be told so before anybody looked; what else may be expected is not ours to know.
  for (const asked of ['checkContinue', 'checkExpectation'])
    app.server.on(asked, (request, answer) => app.server.emit('request', request, answer))
  tls?.follow(app.server as HttpsServer) // what createHttpsServer made above
  return app
}

function toListenProblem(cause: unknown, { host, port }: HttpSettings): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const choose = 'choose another one with --port or http.port'
  if (code === 'EADDRINUSE')
    return new Problem('in_use', `Port ${port} of ${host} is in use by another program: stop that one, or ${choose}`, {
      cause,
    })
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new Problem('request_invalid', `${host} is no address of this machine: set --host or http.host`, { cause })
  if (code === 'EACCES')
    return new Problem('request_invalid', `Port ${port} may not be used by this user: ${choose}`, { cause })
  return cause
}
