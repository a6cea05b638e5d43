import {
  type Attributes,
  type Context,
  type SpanContext,
  type TextMapPropagator,
  propagation,
  trace,
} from '@opentelemetry/api'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Served, run, serve } from './serve.ts'

interface Seen {
  name: string
  attributes: Attributes
  parent: SpanContext | undefined
  ended: boolean
}

const seen: Seen[] = []

/** The least that records spans: what the SDK does with them is its own. */
const tracer = {
  startSpan(name: string, options: { attributes?: Attributes }, parent: Context) {
    const one: Seen = {
      name,
      attributes: { ...options.attributes },
      parent: trace.getSpanContext(parent),
      ended: false,
    }
    seen.push(one)
    const span = {
      spanContext: () => ({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }),
      setAttribute: (key: string, value: string | number) => void (one.attributes[key] = value),
      setStatus: () => {},
      end: () => void (one.ended = true),
    }
    return span as unknown as ReturnType<ReturnType<typeof trace.getTracer>['startSpan']>
  },
  startActiveSpan: () => {
    throw new Error('not used')
  },
}

const propagator: TextMapPropagator = {
  inject() {},
  fields: () => ['traceparent'],
  extract(context, carrier, getter) {
    const [, traceId, spanId] = String(getter.get(carrier, 'traceparent') ?? '').split('-')
    return traceId === undefined || spanId === undefined
      ? context
      : trace.setSpanContext(context, { traceId, spanId, traceFlags: 1 })
  },
}

let served: Served
beforeAll(async () => {
  trace.setGlobalTracerProvider({ getTracer: () => tracer as unknown as ReturnType<typeof trace.getTracer> })
  propagation.setGlobalPropagator(propagator)
  served = await serve()
})
afterAll(async () => {
  await served.close()
  trace.disable()
  propagation.disable()
})

it('a request is one span that continues the trace of the caller and names its run', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const seal = {
    method: 'PUT',
    headers: { traceparent, 'content-type': 'application/json' },
    body: '{"outcome":"failed","tests":null}',
    token: 'push',
  } as const
  expect((await served.fetch(`/v1/runs/${run}/seal`, seal)).status).toBe(201)
  expect((await served.fetch('/v1/status')).status).toBe(401)
  expect(seen).toMatchObject([
    {
      name: 'PUT /v1/runs/{run}/seal',
      parent: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
      attributes: { 'http.route': '/v1/runs/{run}/seal', 'http.response.status_code': 201, 'proofline.run': run },
      ended: true,
    },
    { name: 'GET /v1/status', parent: undefined, attributes: { 'http.response.status_code': 401 }, ended: true },
  ])
})
