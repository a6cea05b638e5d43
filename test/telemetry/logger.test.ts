import { context, trace, TraceFlags } from '@opentelemetry/api'
import type { Context } from '@opentelemetry/api'
import { afterEach, describe, expect, it } from 'vitest'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { LoggerSettings } from '../../src/telemetry/logger.ts'

function capture(settings: Partial<LoggerSettings> = {}) {
  const lines: string[] = []
  const now = () => new Date('2026-11-23T05:00:00.123Z')
  return { lines, log: createLogger({ format: 'json', now, write: (line) => lines.push(line), ...settings }) }
}

const managers = {
  with: (): never => {
    throw new Error('not used')
  },
  bind: <T>(_: Context, target: T): T => target,
  enable() {
    return this as never
  },
  disable() {
    return this as never
  },
}

afterEach(() => context.disable())

describe('createLogger', () => {
  it('writes one JSON object a line, time first, and lets no field replace time, level and event', () => {
    const { lines, log } = capture()
    log.info('record.accepted', { ledger: 'main/unit', seq: 3, event: 'forged', text: 'two\nlines' })
    expect(lines).toEqual([
      '{"time":"2026-11-23T05:00:00.123Z","level":"info","event":"record.accepted","ledger":"main/unit","seq":3,"text":"two\\nlines"}\n',
    ])
  })

  it('tells the whole chain of causes of an error, its code and its stack', () => {
    const { lines, log } = capture()
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    log.error('worker.failed', { error: Object.assign(new Error('no database', { cause }), { code: 'unavailable' }) })
    expect(JSON.parse(lines[0]!)).toMatchObject({
      error: 'no database: refused',
      error_code: 'unavailable',
      error_stack: expect.stringContaining('no database'),
    })
  })

  it('carries the ids of the active span', () => {
    const spanContext = {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.SAMPLED,
    }
    const active = trace.setSpanContext(context.active(), spanContext)
    context.setGlobalContextManager({ ...managers, active: (): Context => active })
    const { lines, log } = capture()
    log.info('record.accepted')
    expect(JSON.parse(lines[0]!)).toMatchObject({ trace_id: spanContext.traceId, span_id: spanContext.spanId })
  })

  it('writes text for people', () => {
    const { lines, log } = capture({ format: 'text' })
    log.warn('head.late', { ledger: 'main/unit', why: 'a "b" c', size: 10n, none: undefined })
    expect(lines).toEqual(['2026-11-23T05:00:00.123Z warn  head.late ledger=main/unit why="a \\"b\\" c" size=10\n'])
  })

  it('leaves out what is below its level', () => {
    const { lines, log } = capture({ level: 'error' })
    log.info('a.happened')
    log.warn('b.happened')
    log.error('c.happened')
    expect(lines).toHaveLength(1)
  })
})
