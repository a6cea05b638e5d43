import { z } from 'zod'
import { ledgerKinds, recordKinds } from '../record/record.ts'
import type { Policy } from './next-step.ts'
import { duration, durationMs } from './duration.ts'
import { shortestCredential, tooShort, toSecret } from './secret.ts'

/**
 * What an operator writes about one destination. Secrets are given by file (`*_file`) or by value (environment), never both.
 * All times in milliseconds.
 */

const secret = z.string().min(1).transform(toSecret)
const credential = z.string().min(shortestCredential, tooShort).transform(toSecret)
const ms = (fallback: number, min = 0) => z.int().min(min).default(fallback)
const httpUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/[?#@]/.test(url), 'has a query, fragment or credentials: leave them out')

const tls = {
  /** PEM file with the certificates to trust instead of the system's. */
  ca_file: z.string().optional(),
  client_certificate_file: z.string().optional(),
  client_key_file: z.string().optional(),
  client_key_passphrase: secret.optional(),
  /** Requests go through a tunnel of this proxy; variables like HTTPS_PROXY are not read. */
  proxy: httpUrl.refine((url) => new URL(url).pathname === '/', 'has a path: leave it out').optional(),
  proxy_username: z.string().min(1).optional(),
  proxy_password: secret.optional(),
  proxy_password_file: z.string().optional(),
  /** PEM file with the certificates to trust in the proxy itself, where it is reached by https. */
  proxy_ca_file: z.string().optional(),
  /** Link-local and cloud metadata addresses are refused, since a redirected name would carry our credentials there. */
  allow_metadata_addresses: z.boolean().default(false),
}

const startForms = 'is none of beginning, now, a time such as 2026-11-01T00:00:00Z, or a seq for each ledger'

const keepsForm = 'has to be days, such as 90d'

const common = {
  url: httpUrl,
  ...tls,
  select: z
    .strictObject({
      ledgers: z.array(z.enum(ledgerKinds)).nonempty().optional(),
      kinds: z.array(z.enum(recordKinds)).nonempty().optional(),
      repositories: z.array(z.string().min(1)).nonempty().optional(),
    })
    .default({}),
  /** Where a ledger begins that was never followed: looked at once, and written for ever. A ledger that is not named begins at 0. */
  start: z
    .union(
      [
        z.enum(['beginning', 'now']),
        z.iso.datetime({ offset: true, error: startForms }),
        z.partialRecord(z.enum(ledgerKinds), z.int().min(0)),
      ],
      startForms,
    )
    .default('beginning'),
  /** Every window what has come is sent, however little. */
  window_ms: ms(1_000, 1),
  batch: z
    .strictObject({
      records: z.int().min(1).max(1_000).default(1_000),
      bytes: z.int().min(1).max(524_288).default(524_288),
    })
    .default({ records: 1_000, bytes: 524_288 }),
  /** Requests on their way at once. */
  concurrency: z.int().min(1).max(64).default(4),
  /** Attempts without a final outcome; more are not begun. Bounds memory while outcomes wait for their proof. */
  max_open_attempts: z.int().min(1).max(100_000).default(4_000),
  compression: z.enum(['none', 'gzip']).default('none'),
  send_before_ms: ms(10_000, 1),
  request_timeout_ms: ms(60_000, 1),
  on_unresolved: z.enum(['hold', 'resend_marked']).default('hold'),
  unresolved_after_ms: ms(3_600_000),
  unproved_after_ms: ms(3_600_000),
  look_delays_ms: z.array(z.int().min(0)).nonempty().default([0, 2_000, 5_000, 10_000, 30_000, 60_000]),
  retry_delays_ms: z.array(z.int().min(0)).nonempty().default([250, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000]),
  /** A blocked destination is probed from the first to the second. */
  probe_ms: z.strictObject({ min: ms(60_000, 1), max: ms(600_000, 1) }).default({ min: 60_000, max: 600_000 }),
  position_every_ms: ms(60_000, 1),
  drain_ms: ms(5_000),
  /** How long the destination keeps what it gets; reconciliation asks for no more. */
  keeps: z
    .string(keepsForm)
    .regex(/^\d+d$/, keepsForm)
    .optional(),
  /** Older than this at the destination is an alert. */
  freshness_ms: ms(900_000, 1),
  /** Holding one ledger for a while and proving that it catches up; by itself where `every` says so. */
  drill: z
    .strictObject({
      every: duration.optional(),
      // Every node has heeded the hold by then.
      for: duration.refine((text) => durationMs(text) >= 10_000, 'is shorter than 10s').default('10m'),
    })
    .default({ for: '10m' }),
}

const splunk = z
  .strictObject({
    type: z.literal('splunk'),
    ...common,
    token: credential.optional(),
    token_file: z.string().optional(),
    /** Taken while the other is refused: two are valid at once during a rotation. */
    previous_token: credential.optional(),
    previous_token_file: z.string().optional(),
    proof: z.enum(['ack', 'search', 'answer']).default('search'),
    search: z
      .strictObject({
        url: httpUrl,
        token: credential.optional(),
        token_file: z.string().optional(),
        /** Absence is believed only this long after the last byte can have left, and behind a canary. */
        lag_ms: ms(600_000),
        timeout_ms: ms(60_000, 1),
        concurrency: z.int().min(1).max(16).default(2),
        ...tls,
      })
      .optional(),
    /** How long an acknowledgement is waited for; a channel is forgotten after 600 s idle. */
    ack_deadline_ms: ms(540_000, 1),
    indexes: z.partialRecord(z.enum(ledgerKinds), z.string().min(1)).default({}),
    event_form: z.enum(['object', 'string']).default('object'),
  })
  .superRefine((settings, context) => {
    exactlyOne(context, settings.token, settings.token_file, 'token')
    atMostOne(context, settings.previous_token, settings.previous_token_file, 'previous_token')
    checkWire(context, settings, '')
    if (settings.search !== undefined) {
      exactlyOne(context, settings.search.token, settings.search.token_file, 'search.token')
      checkWire(context, settings.search, 'search.')
    }
    if (settings.proof === 'search' && settings.search === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['search'],
        message: 'proof: search needs search.url and search.token; without them write proof: answer (or ack)',
      })
    }
  })

const elastic = z
  .strictObject({
    type: z.literal('elastic'),
    ...common,
    api_key: credential.optional(),
    api_key_file: z.string().optional(),
    username: z.string().min(1).optional(),
    password: secret.optional(),
    password_file: z.string().optional(),
    /** Base name per ledger; the month of recorded_at is put behind it. */
    indexes: z.partialRecord(z.enum(ledgerKinds), z.string().regex(/^[a-z0-9][a-z0-9._-]*$/)).default({}),
    pipeline: z.string().optional(),
    /** A document may take so long until a search finds it: the refresh interval, and some time. Comparisons go no nearer to now. */
    visible_after_ms: ms(60_000),
  })
  .superRefine((settings, context) => {
    const { api_key, api_key_file, username, password, password_file } = settings
    atMostOne(context, api_key, api_key_file, 'api_key')
    checkWire(context, settings, '')
    if (username !== undefined) exactlyOne(context, password, password_file, 'password')
    if (username !== undefined && (api_key ?? api_key_file) !== undefined) {
      context.addIssue({ code: 'custom', path: ['username'], message: 'is given besides api_key: choose one' })
    }
    const names = ledgerKinds.map((kind) => settings.indexes[kind] ?? `proofline-${kind}`)
    for (const [at, kind] of ledgerKinds.entries()) {
      // The index pattern of the shorter one would take in the longer one's indices, and a server refuses two such templates.
      const other = names.find((name) => name.startsWith(`${names[at]}-`))
      if (other !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['indexes', kind],
          message: `is how ${other} begins: name them apart`,
        })
    }
  })

function exactlyOne(context: z.RefinementCtx, value: unknown, file: unknown, name: string): void {
  if ((value === undefined) !== (file === undefined)) return
  const message =
    value === undefined ? `is missing: give ${name} or ${name}_file` : `is given twice: ${name} and ${name}_file`
  context.addIssue({ code: 'custom', path: name.split('.'), message })
}

function atMostOne(context: z.RefinementCtx, value: unknown, file: unknown, name: string): void {
  if (value !== undefined && file !== undefined) exactlyOne(context, value, file, name)
}

interface ProxySettings {
  client_certificate_file?: string | undefined
  client_key_file?: string | undefined
  proxy?: string | undefined
  proxy_username?: string | undefined
  proxy_password?: unknown
  proxy_password_file?: string | undefined
  proxy_ca_file?: string | undefined
}

function checkWire(context: z.RefinementCtx, settings: ProxySettings, prefix: string): void {
  const { proxy, proxy_username, proxy_password, proxy_password_file, proxy_ca_file } = settings
  const { client_certificate_file: certificate, client_key_file: key } = settings
  if ((certificate === undefined) !== (key === undefined)) {
    const [has, lacks] = certificate === undefined ? ['key', 'certificate'] : ['certificate', 'key']
    context.addIssue({ code: 'custom', path: `${prefix}client_${lacks}_file`.split('.'), message: `is missing beside client_${has}_file` }) // oxfmt-ignore
  }
  if (proxy_username !== undefined) exactlyOne(context, proxy_password, proxy_password_file, `${prefix}proxy_password`)
  else if ((proxy_password ?? proxy_password_file) !== undefined)
    context.addIssue({ code: 'custom', path: `${prefix}proxy_username`.split('.'), message: 'is missing' })
  if (proxy === undefined && (proxy_username ?? proxy_password ?? proxy_password_file ?? proxy_ca_file) !== undefined) {
    context.addIssue({ code: 'custom', path: `${prefix}proxy`.split('.'), message: 'is missing: what is written about it has no use' }) // oxfmt-ignore
  }
}

export const destinationSettings = z.discriminatedUnion('type', [splunk, elastic])
export type DestinationSettings = z.output<typeof destinationSettings>
export type SplunkSettings = z.output<typeof splunk>
export type ElasticSettings = z.output<typeof elastic>

/** A destination's name: part of keys, file names and metric labels. */
export const destinationName = z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?$/)

/** The decisions that follow from the settings, as `nextStep` takes them. */
export function policyOf(settings: DestinationSettings): Policy {
  const repeatable = settings.type === 'elastic'
  const onlyAck = settings.type === 'splunk' && settings.proof === 'ack' && settings.search === undefined
  return {
    repeatable,
    canLook: repeatable || settings.proof === 'ack' || settings.search !== undefined,
    onUnresolved: settings.on_unresolved,
    unresolvedAfterMs: onlyAck ? settings.ack_deadline_ms : settings.unresolved_after_ms,
    unprovedAfterMs: onlyAck ? settings.ack_deadline_ms : settings.unproved_after_ms,
    lookDelaysMs: settings.look_delays_ms,
    retryDelaysMs: settings.retry_delays_ms,
  }
}
