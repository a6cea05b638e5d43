import { Problem } from '../record/problem.ts'
import type { OpenDestination } from './open-destination.ts'
import type { Flavour } from './elastic-setup.ts'
import type { ElasticSettings } from './settings.ts'
import { credentialOf, elasticHeaders, outgoingOf } from './wire.ts'

/** Requests about a cluster instead of records: for set-up and preflight, by hand of an operator. */
export interface ElasticAdmin {
  /** Rejects with Problem `unavailable` when there was no answer. */
  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: object | string): Promise<Asked>
  close(): Promise<void>
}

export interface Asked {
  status: number
  /** Parsed; undefined when it is no JSON. */
  body: unknown
}

export async function openElasticAdmin(
  settings: ElasticSettings,
  { monotonicMs }: Pick<OpenDestination, 'monotonicMs'>,
  signal: AbortSignal,
): Promise<ElasticAdmin> {
  const credential = await credentialOf(settings)
  const outgoing = await outgoingOf(settings, 2, 'none', monotonicMs)
  return {
    async ask(method, path, body) {
      const lines = typeof body === 'string'
      const text = body === undefined || lines ? body : JSON.stringify(body)
      const answer = await outgoing.request(
        {
          method,
          path,
          headers: elasticHeaders(await credential.read(), lines ? 'application/x-ndjson' : 'application/json'),
          ...(text === undefined ? {} : { body: Buffer.from(text) }),
          timeoutMs: settings.request_timeout_ms,
        },
        signal,
      )
      if (answer.kind === 'answer') return { status: answer.status, body: parse(answer.body) }
      const why =
        answer.kind === 'expired'
          ? 'not begun in time'
          : `${answer.phase} ${answer.address}: ${answer.code} ${answer.message}`
      throw new Problem('unavailable', `${settings.url} does not answer: ${why}`)
    },
    close: () => outgoing.close(),
  }
}

/** Version and kind of the server; undefined with the status where the credential may not ask. */
export async function readFlavour(
  admin: ElasticAdmin,
): Promise<
  { flavour: Flavour; version: string; status: number } | { flavour: undefined; version: ''; status: number }
> {
  const { status, body } = await admin.ask('GET', '/')
  const number = dig(body, 'version', 'number')
  if (status !== 200 || typeof number !== 'string') return { flavour: undefined, version: '', status }
  const flavour =
    dig(body, 'version', 'distribution') === 'opensearch'
      ? 'opensearch'
      : dig(body, 'version', 'build_flavor') === 'serverless'
        ? 'serverless'
        : 'elasticsearch'
  return { flavour, version: number, status }
}

/** Why this index cannot be written to exactly once; undefined when nothing speaks against it. 404 is no objection: it is made when needed. */
export async function objectionTo(admin: ElasticAdmin, base: string): Promise<string | undefined> {
  const { status, body } = await admin.ask('GET', `/_resolve/index/${base}*`)
  if (status !== 200) return undefined
  const [stream] = names(body, 'data_streams').filter((name) => name === base || name.startsWith(`${base}-`))
  if (stream !== undefined) {
    return `${stream} is a data stream: a repeat after its rollover would be stored a second time; remove it, or name other indexes`
  }
  return names(body, 'indices').includes(base)
    ? `${base} is an index, and has to be the alias of the monthly ones`
    : undefined
}

function names(body: unknown, list: string): string[] {
  const entries = dig(body, list)
  return Array.isArray(entries) ? entries.map((entry) => String(dig(entry, 'name'))) : []
}

/** `error.type: error.reason` of an answer; an OpenSearch without a handler says its error in one string. */
export function errorOf({ status, body }: Asked): string {
  const error = dig(body, 'error')
  const [type, reason] = typeof error === 'string' ? [undefined, error] : [dig(error, 'type'), dig(error, 'reason')]
  return `HTTP ${status}${typeof type === 'string' ? ` ${type}` : ''}${typeof reason === 'string' ? `: ${reason.slice(0, 300)}` : ''}`
}

export function dig(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
