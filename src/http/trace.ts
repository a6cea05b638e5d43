import { type Span, SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** One span a request, continuing the caller's: the CI job, or the SIEM that pulls. */

const spans = new WeakMap<FastifyRequest, Span>()

export function traceRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const span = spans.get(request)
    if (span === undefined) return
    span.setAttribute('http.response.status_code', reply.statusCode)
    if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  })
}

/** Runs `work` within the request's span. */
export function inSpan<T>(request: FastifyRequest, path: string, work: () => Promise<T>): Promise<T> {
  const caller = propagation.extract(context.active(), request.headers)
  const attributes = { 'http.request.method': request.method, 'http.route': path, 'client.address': request.ip }
  const options = { kind: SpanKind.SERVER, attributes }
  const span = trace.getTracer('proofline').startSpan(`${request.method} ${path}`, options, caller)
  spans.set(request, span)
  return context.with(trace.setSpan(caller, span), work)
}

export function noteInSpan(request: FastifyRequest, name: string, value: string): void {
  spans.get(request)?.setAttribute(name, value)
}
