import { trace } from '@opentelemetry/api'
import { hideCredentials } from '../record/hide-credentials.ts'

/**
 * Structured logs: one JSON object a line on stderr. `event` is a noun and a past verb (`record.accepted`); fields are flat and never
 * hold a secret.
 */
export interface Logger {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

export type LogFields = Readonly<Record<string, unknown>>

export const silentLogger: Logger = { info() {}, warn() {}, error() {} }

export const logLevels = ['info', 'warn', 'error'] as const
type Level = (typeof logLevels)[number]

export interface LoggerSettings {
  /** json: for machines. text: the same in a line for people, without trace ids. */
  format: 'json' | 'text'
  /** Leaves out what is less grave. Default info. */
  level?: Level
  now?: () => Date
  write?: (line: string) => void
}

/** Lines carry trace_id and span_id of the active span, if there is one. An Error as a field becomes its message, `_code` and `_stack`. */
export function createLogger(settings: LoggerSettings): Logger {
  const { format, level: least = 'info', now = () => new Date() } = settings
  const write = settings.write ?? ((line: string) => void process.stderr.write(line))
  const log = (level: Level, event: string, fields: LogFields = {}): void => {
    if (logLevels.indexOf(level) < logLevels.indexOf(least)) return
    const time = now().toISOString()
    const line = format === 'json' ? printJson(time, level, event, fields) : printText(time, level, event, fields)
    write(`${hideCredentials(line)}\n`)
  }
  return {
    info: (event, fields) => log('info', event, fields),
    warn: (event, fields) => log('warn', event, fields),
    error: (event, fields) => log('error', event, fields),
  }
}

function printJson(time: string, level: Level, event: string, fields: LogFields): string {
  const span = trace.getActiveSpan()?.spanContext()
  const place = span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }
  const head = { time, level, event }
  // First for the eye, and again last: no field of that name may replace them.
  return JSON.stringify({ ...head, ...flatten(fields, true), ...head, ...place }, safely)
}

function printText(time: string, level: Level, event: string, fields: LogFields): string {
  const rest = Object.entries(flatten(fields, level === 'error')).map(([name, value]) => {
    if (value === undefined) return ''
    const text = typeof value === 'string' || typeof value === 'bigint' ? String(value) : JSON.stringify(value, safely)
    return `${name}=${text !== undefined && /[\s"=]/.test(text) ? JSON.stringify(text) : text}`
  })
  return [time, level.padEnd(5), event, ...rest.filter((field) => field !== '')].join(' ')
}

function flatten(fields: LogFields, withStacks: boolean): Record<string, unknown> {
  const flat: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (!(value instanceof Error)) {
      flat[name] = value
      continue
    }
    flat[name] = messages(value)
    if ('code' in value) flat[`${name}_code`] = value.code
    if (withStacks) flat[`${name}_stack`] = value.stack
  }
  return flat
}

/** "what failed: because of that: because of that" */
function messages(error: Error, depth = 0): string {
  const own = error.message === '' ? error.name : error.message
  return error.cause instanceof Error && depth < 5 ? `${own}: ${messages(error.cause, depth + 1)}` : own
}

/** A log line must never throw: JSON knows no bigint. */
function safely(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
