import { readFile } from 'node:fs/promises'
import { Problem } from '../record/problem.ts'
import type { ConnectSettings } from './connect.ts'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import { withoutCredentials } from './redact.ts'
import { type Secret, toSecret } from './secret.ts'
import type { DestinationSettings, ElasticSettings } from './settings.ts'

/** From settings to requests: reads the secrets and certificates that they name, and makes what sends. */

/** Made for each request: a password read from a file never stands in a field that could be printed. */
export type ElasticCredential =
  | { kind: 'api_key'; key: Secret }
  | { kind: 'basic'; username: string; password: Secret }
  | undefined

export function elasticHeaders(credential: ElasticCredential, type: string): Record<string, string> {
  const base = { 'content-type': type, accept: 'application/json' }
  if (credential === undefined) return base
  if (credential.kind === 'api_key') return { ...base, authorization: `ApiKey ${credential.key.reveal()}` }
  const pair = Buffer.from(`${credential.username}:${credential.password.reveal()}`).toString('base64')
  return { ...base, authorization: `Basic ${pair}` }
}

export async function credentialOf(settings: ElasticSettings): Promise<ElasticCredential> {
  const key = await secretOf('api_key', settings.api_key, settings.api_key_file)
  if (key !== undefined) return { kind: 'api_key', key }
  const password = await secretOf('password', settings.password, settings.password_file)
  const { username } = settings
  return username === undefined || password === undefined ? undefined : { kind: 'basic', username, password }
}

export async function secretOf(
  key: string,
  value: Secret | undefined,
  file: string | undefined,
): Promise<Secret | undefined> {
  if (file === undefined) return value
  const text = (await readNamed(`${key}_file`, file)).toString().trim()
  if (text === '') throw new Problem('request_invalid', `${key}_file: ${file} is empty`)
  return toSecret(text)
}

/** A file that a setting names; Problem request_invalid with the name of the setting when it cannot be read. */
async function readNamed(key: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new Problem('request_invalid', `${key}: ${file} cannot be read`, { cause })
  }
}

export type Wire = Pick<
  DestinationSettings,
  | 'url'
  | 'ca_file'
  | 'client_certificate_file'
  | 'client_key_file'
  | 'client_key_passphrase'
  | 'allow_metadata_addresses'
>

/** How to connect: certificates and what is refused. */
export async function connectSettingsOf(wire: Wire): Promise<ConnectSettings> {
  const pem = async (key: string, file: string | undefined) => (file === undefined ? undefined : readNamed(key, file))
  const [ca, cert, key] = await Promise.all([
    pem('ca_file', wire.ca_file),
    pem('client_certificate_file', wire.client_certificate_file),
    pem('client_key_file', wire.client_key_file),
  ])
  const passphrase = wire.client_key_passphrase?.reveal()
  return {
    timeoutMs: 10_000,
    allowMetadataAddresses: wire.allow_metadata_addresses,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    },
  }
}

export async function outgoingOf(
  wire: Wire,
  connections: number,
  compression: 'none' | 'gzip',
  monotonicMs?: () => number,
): Promise<Outgoing> {
  const connect = await connectSettingsOf(wire)
  return withoutCredentials(
    createOutgoing(
      { url: wire.url, connections, compression, maxAnswerBytes: 16 * 1024 * 1024, ...connect },
      monotonicMs,
    ),
  )
}
