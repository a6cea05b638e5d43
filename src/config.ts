import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { destinationName, destinationSettings } from './delivery/settings.ts'
import { httpSettings } from './http/settings.ts'
import { telemetrySettings, wantsOtlp } from './telemetry/telemetry.ts'

/**
 * Configuration: one file, every scalar overridable by `PROOFLINE_` and its path in capitals (`PROOFLINE_DATABASE_URL`). Read once, here
 * and nowhere else; an unknown key, a contradiction or a missing secret stops the start with the key's name.
 */

const size = z.int().min(1)

const settings = z.strictObject({
  org: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/).default('main').describe('the tenant'),
  public_host: z.string().regex(/^[A-Za-z0-9.:-]{1,200}$/).default('localhost').describe('begins the origin of every log; fixed by the first key record'),
  http: httpSettings,
  data_dir: z.string().default('.proofline'),
  database: z
    .strictObject({
      url: z.string().optional().describe('PostgreSQL 15 or newer; without it an embedded one runs in the data folder'),
      owner_url: z.string().optional().describe('for migrations, when `url` may not change the schema'),
      connections: z.int().min(4).max(200).default(16),
    })
    .prefault({}),
  signer: z.strictObject({ socket: z.string().optional().describe('a `proofline signer` shared by several nodes') }).prefault({}),
  log: z.strictObject({ public: z.boolean().default(false).describe('serve /log without a credential') }).prefault({}),
  telemetry: telemetrySettings.prefault({}),
  intake: z
    .strictObject({
      max_decoded_bytes: size.default(8 * 1024 ** 3),
      max_expansion: size.default(400).describe('decoded bytes to encoded bytes'),
      max_lines_per_file: size.default(2_000_000),
      max_files: size.default(200_000),
      workers: z.int().min(1).max(64).optional(),
    })
    .prefault({}),
  destinations: z.record(destinationName, destinationSettings).default({}),
})

export interface Config extends z.output<typeof settings> {
  /** The usual OTEL_EXPORTER_OTLP_ variables are set. */
  otlp: boolean
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Names that begin with PROOFLINE_ and belong to the command line or to tests. */
const others = new Set(['PROOFLINE_URL', 'PROOFLINE_TOKEN', 'PROOFLINE_CONFIG', 'PROOFLINE_DEBUG', 'PROOFLINE_CORPUS', 'PROOFLINE_SPOOL'])

/** Short names of what is set most often. */
const aliases = new Map([
  ['PROOFLINE_HOST', ['http', 'host']],
  ['PROOFLINE_PORT', ['http', 'port']],
])

/** What stops the start: the key and what is wrong with it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Pure: the configuration from the text of a file (if there is one), the environment and what the command line says. */
export function readConfig(text: string | undefined, env: Environment, flags: Record<string, string | undefined> = {}): Config {
  const values = { ...parseFile(text) }
  const leaves = leavesOf(settings)
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('PROOFLINE_') || others.has(name) || value === undefined || value === '') continue
    const path = aliases.get(name) ?? leaves.get(name)
    if (path === undefined) throw new ConfigError(`${name}: there is no such setting`)
    assign(values, path, value)
  }
  const url = env['DATABASE_URL']
  if (url !== undefined && url !== '' && env['PROOFLINE_DATABASE_URL'] === undefined) assign(values, ['database', 'url'], url)
  for (const [name, value] of Object.entries(flags)) {
    if (value !== undefined) assign(values, aliases.get(`PROOFLINE_${name.toUpperCase()}`) ?? [name], value)
  }
  const parsed = settings.safeParse(values)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const extra = issue?.code === 'unrecognized_keys' ? ` ${issue.keys.join(', ')}` : ''
    throw new ConfigError(`${issue?.path.join('.') || 'configuration'}: ${issue?.message ?? 'is not valid'}${extra}`)
  }
  return { ...parsed.data, data_dir: resolve(parsed.data.data_dir), otlp: wantsOtlp(env) }
}

/** Reads the file that --config or PROOFLINE_CONFIG names, else proofline.yaml where there is one. */
export function loadConfig(flags: Record<string, string | undefined>): Config {
  const { config, ...rest } = flags
  const named = config ?? process.env['PROOFLINE_CONFIG']
  return readConfig(readText(named ?? 'proofline.yaml', named !== undefined), process.env, rest)
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
    throw new ConfigError(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function parseFile(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {}
  const document = parseDocument(text)
  const error = document.errors[0]
  if (error !== undefined) throw new ConfigError(error.message)
  const value: unknown = document.toJS() ?? {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ConfigError('the configuration is not a mapping')
  return { ...value }
}

/** Every scalar setting under its environment name: PROOFLINE_DATABASE_URL -> database.url. */
function leavesOf(schema: z.ZodType, path: string[] = [], found = new Map<string, string[]>()): Map<string, string[]> {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    for (const [key, value] of Object.entries(inner.shape)) leavesOf(value as z.ZodType, [...path, key], found) // a zod shape holds zod types
  } else found.set(`PROOFLINE_${path.join('_').toUpperCase()}`, path)
  return found
}

function unwrap(schema: z.ZodType): z.ZodType {
  const { def } = schema as { def: { innerType?: z.ZodType } } // zod's documented introspection
  return def.innerType === undefined ? schema : unwrap(def.innerType)
}

/** Text from the environment becomes a number or boolean where it reads as one. */
function assign(values: Record<string, unknown>, path: readonly string[], value: string): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length > 0) {
    const below = values[key]
    const copy: Record<string, unknown> = typeof below === 'object' && below !== null ? { ...below } : {}
    assign(copy, rest, value)
    values[key] = copy
  } else values[key] = /^-?\d{1,15}$/.test(value) ? Number(value) : value === 'true' ? true : value === 'false' ? false : value
}
