import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { type Leaf, assign, leavesOf, leavesOfMembers, toSetting } from './config-env.ts'
import { archiveSettings, retentionSettings } from './archive/settings.ts'
import { identitySettings, isSafeUrl } from './access/identity-settings.ts'
import { loginSettings } from './access/login-settings.ts'
import { destinationName, destinationSettings } from './delivery/settings.ts'
import { httpSettings } from './http/settings.ts'
import { scrubSettings } from './watch/scrub-settings.ts'
import { artifactSettings } from './objects/settings.ts'
import { publishSettings } from './publish/settings.ts'
import { plainReason } from './record/plain-reason.ts'
import { Problem } from './record/problem.ts'
import { signerSettings } from './signing/settings.ts'
import { type OtlpEndpoint, otlpEndpoints, telemetrySettings } from './telemetry/telemetry.ts'
import { timestampSettings, witnessSettings } from './vouching/settings.ts'
import { watchSettings } from './watch/settings.ts'

/**
 * Configuration: one file, every setting overridable by `PROOFLINE_` and its path in capitals (`PROOFLINE_DATABASE_URL`). Read once, here
 * and nowhere else; an unknown key, a contradiction or a missing secret stops the start with the key's name.
 */

const size = z.int().min(1)

/** As src/database/connection.ts takes it; anything else would be dialled as some host or other. */
const databaseUrl = z
  .string()
  .regex(/^(?:postgres(?:ql)?:\/\/|socket:)/, 'is no address of a PostgreSQL: postgresql://user@host:5432/database')
  // With a Unix socket as a parameter the host may be empty.
  .refine((url) => URL.canParse(url.replace('@/', '@host/')), 'cannot be read: / ? # in a password are %2F %3F %23')

const settings = z.strictObject({
  org: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/)
    .default('main')
    .describe('the tenant'),
  public_host: z
    .string()
    .regex(/^[A-Za-z0-9.:-]{1,200}$/)
    .default('localhost')
    .describe('begins the origin of every log; fixed by the first key record'),
  http: httpSettings,
  data_dir: z.string().default('.proofline'),
  database: z
    .strictObject({
      url: databaseUrl
        .optional()
        .describe('PostgreSQL 15 or newer; without it an embedded one runs in the data folder'),
      owner_url: databaseUrl.optional().describe('for migrations, when `url` may not change the schema'),
      retention_url: databaseUrl.optional().describe('a member of proofline_retention, when the service is none'),
      connections: z.int().min(4).max(200).default(16),
    })
    .refine(({ url, owner_url }) => owner_url === undefined || url !== undefined, {
      path: ['owner_url'],
      message: 'is given without database.url',
    })
    .refine(({ url, retention_url }) => retention_url === undefined || url !== undefined, {
      path: ['retention_url'],
      message: 'is given without database.url',
    })
    .prefault({}),
  signer: signerSettings.prefault({}),
  log: z
    .strictObject({
      public: z.boolean().default(false).describe('serve /log without a credential'),
      policy: z.string().optional().describe('a tlog-policy file: the witnesses, and whose cosignatures are enough'),
    })
    .prefault({}),
  witness: witnessSettings.prefault({}),
  timestamps: timestampSettings.prefault({}),
  telemetry: telemetrySettings.prefault({}),
  intake: z
    .strictObject({
      max_decoded_bytes: size.default(8 * 1024 ** 3),
      max_expansion: size.default(400).describe('decoded bytes to encoded bytes'),
      max_lines_per_file: size.default(2_000_000),
      max_lines: size.default(20_000_000),
      max_files: size.default(200_000),
      max_parts: size.default(10_000).describe('of one run'),
      workers: z.int().min(1).max(64).optional(),
      quota: z
        .strictObject({ repository_bytes_per_day: size.optional(), total_bytes: size.optional() })
        .prefault({})
        .describe('decoded bytes of artifacts'),
    })
    .prefault({}),
  watch: watchSettings.prefault({}),
  artifacts: artifactSettings.prefault({}),
  publish: publishSettings.prefault({}),
  archive: archiveSettings.prefault({}),
  scrub: scrubSettings.prefault({}),
  retention: retentionSettings.prefault({}),
  identity: identitySettings.prefault({}),
  login: loginSettings.optional(),
  destinations: z.record(destinationName, destinationSettings).default({}),
})

const checkedSettings = settings.superRefine(({ org, identity, login, http }, context) => {
  // The issuer sends browsers back to that address, and nowhere else; the cookie is of it.
  if (login !== undefined && (http.public_url === undefined || !isSafeUrl(http.public_url)))
    context.addIssue({ code: 'custom', path: ['http', 'public_url'], message: 'is needed for login: the https address that browsers know this service by' }) // oxfmt-ignore
  for (const [i, { rules }] of identity.issuers.entries())
    for (const [j, rule] of rules.entries())
      if (rule.org !== undefined && rule.org !== org)
        context.addIssue({ code: 'custom', path: ['identity', 'issuers', i, 'rules', j, 'org'], message: `is not ${org}, the only one here` }) // oxfmt-ignore
})

export interface Config extends z.output<typeof settings> {
  /** What the usual OTEL_EXPORTER_OTLP_ variables name; empty where nothing is sent. */
  otlp: OtlpEndpoint[]
}

export type Environment = Readonly<Record<string, string | undefined>>

const prefix = 'PROOFLINE_'
/** Names that begin with PROOFLINE_ and belong to the command line or to tests. */
const others = new Set([
  'PROOFLINE_URL',
  'PROOFLINE_TOKEN',
  'PROOFLINE_TOKEN_FILE',
  'PROOFLINE_ID_TOKEN',
  'PROOFLINE_AUDIENCE',
  'PROOFLINE_CLIENT_CERTIFICATE_FILE',
  'PROOFLINE_CLIENT_KEY_FILE',
  'PROOFLINE_ALLOW_METADATA_ADDRESSES',
  'PROOFLINE_RESTARTED',
  'PROOFLINE_CONFIG',
  'PROOFLINE_DEBUG',
  'PROOFLINE_CORPUS',
  'PROOFLINE_SPOOL',
])

/** Short names of what is set most often. */
const aliases = new Map([
  ['HOST', 'HTTP_HOST'],
  ['PORT', 'HTTP_PORT'],
])

/** What stops the start: the key and what is wrong with it. */
export class ConfigError extends Problem {
  constructor(detail: string) {
    super('request_invalid', detail)
  }
}

/** Pure: the configuration from the text of a file (if there is one), the environment and what the command line says. */
export function readConfig(
  text: string | undefined,
  env: Environment,
  flags: Record<string, string | undefined> = {},
  file?: string,
): Config {
  const values = { ...parseFile(text, file) }
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(prefix) && !others.has(name) && value !== undefined && value !== '')
      given.set(name.slice(prefix.length), value)
  }
  const { destinations } = values
  const written = typeof destinations === 'object' && destinations !== null ? { ...destinations } : {}
  const leaves = leavesOf(settings)
  const ofDestinations = leavesOfMembers('destinations', destinationSettings, written, given)
  const find = (name: string): Leaf | undefined => leaves.get(aliases.get(name) ?? name) ?? ofDestinations.get(name)
  for (const [name, value] of given) {
    const leaf = find(name)
    if (leaf === undefined) throw new ConfigError(`${prefix}${name}: there is no such setting`)
    assign(values, leaf.path, toSetting(value, leaf.schema))
  }
  const url = env['DATABASE_URL']
  if (url !== undefined && url !== '' && !given.has('DATABASE_URL')) assign(values, ['database', 'url'], url)
  for (const [name, value] of Object.entries(flags)) {
    const leaf = find(name.toUpperCase())
    if (value !== undefined)
      assign(values, leaf?.path ?? [name], leaf === undefined ? value : toSetting(value, leaf.schema))
  }
  const parsed = checkedSettings.safeParse(values)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.slice(0, 5).map(printIssue).join('; '))
  return { ...parsed.data, data_dir: resolve(parsed.data.data_dir), otlp: otlpEndpoints(env) }
}

/** The name of the setting, and what is wrong with it; never its value, which may be a secret. */
function printIssue(issue: z.core.$ZodIssue): string {
  const at = issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${at === '' ? '' : `${at}.`}${key}: there is no such setting`).join('; ')
  if (issue.code === 'invalid_key') return `${at}: is no name: a-z, 0-9, _ and - within, 40 characters at most`
  return `${at === '' ? 'the configuration' : at}: ${plainReason(issue.message)}`
}

/** As it may be shown and digested: what could be a secret is taken out. */
export function withoutSecrets({ otlp: _otlp, ...config }: Config): Omit<Config, 'otlp'> {
  const { url, owner_url, retention_url } = config.database
  const { webhook } = config.watch
  return {
    ...config,
    watch: {
      ...config.watch,
      ...(webhook === undefined ? {} : { webhook: { ...webhook, url: withoutPath(webhook.url) } }),
    },
    database: {
      ...config.database,
      ...(url === undefined ? {} : { url: withoutPassword(url) }),
      ...(owner_url === undefined ? {} : { owner_url: withoutPassword(owner_url) }),
      ...(retention_url === undefined ? {} : { retention_url: withoutPassword(retention_url) }),
    },
  }
}

const withoutPassword = (url: string): string =>
  url.replace(/^([^/]*\/\/[^:/@]*:).*@/s, '$1[secret]@').replace(/([?&](?:ssl)?password=)[^&]*/g, '$1[secret]')

/** Chat services give out addresses whose path is all that it takes to write there. */
function withoutPath(text: string): string {
  const { origin, pathname, search } = new URL(text)
  return `${origin}/${pathname === '/' && search === '' ? '' : '[secret]'}`
}

/** Reads the file that --config or PROOFLINE_CONFIG names, else proofline.yaml where there is one. */
export function loadConfig(flags: Record<string, string | undefined>): Config {
  const { config, ...rest } = flags
  const named = config ?? process.env['PROOFLINE_CONFIG']
  const file = named ?? 'proofline.yaml'
  return readConfig(readText(file, named !== undefined), process.env, rest, file)
}

/** Where the command line finds a service on this machine. */
export function localStateFile(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'proofline', 'local.json')
}

function readText(path: string, required: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!required && error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigError(`the configuration ${path} cannot be read (${why})`)
  }
}

function parseFile(text: string | undefined, file: string | undefined): Record<string, unknown> {
  if (text === undefined) return {}
  const lineCounter = new LineCounter()
  let value: unknown
  try {
    // Not pretty: that would print the line, which may hold a secret.
    const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
    const [error] = document.errors
    if (error !== undefined) throw new Error(`line ${lineCounter.linePos(error.pos[0]).line}: ${error.message}`)
    value = document.toJS() ?? {}
  } catch (error) {
    // Also an alias without its anchor, and brackets so deep that the reader ran out of stack.
    throw new ConfigError(
      `${file === undefined ? '' : `${file} `}${error instanceof Error ? error.message : String(error)}`,
    )
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError('the configuration is not a mapping')
  return { ...value }
}
