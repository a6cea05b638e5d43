import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { Problem } from '../record/problem.ts'
import { readOwn } from './certificate.ts'
import { messageOf } from './connect-error.ts'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import type { Trust } from './pools.ts'
import { withoutCredentials } from './redact.ts'
import { createResolver, type LookUp } from './resolve.ts'
import { type Secret, shortestCredential, tooShort, toSecret } from './secret.ts'
import type { DestinationSettings, ElasticSettings } from './settings.ts'
import { derive, fixed, openFile, type Source } from './source.ts'
import { type Proxy, targetOf } from './tunnel.ts'

/** From settings to requests: opens the secrets and certificates that they name, and makes what sends. */

export type ElasticCredential =
  | { kind: 'api_key'; key: Secret }
  | { kind: 'basic'; username: string; password: Secret }
  | undefined

/** Made for each request: a password read from a file never stands in a field that could be printed. */
export function elasticHeaders(credential: ElasticCredential, type: string): Record<string, string> {
  const base = { 'content-type': type, accept: 'application/json' }
  if (credential === undefined) return base
  if (credential.kind === 'api_key') return { ...base, authorization: `ApiKey ${credential.key.reveal()}` }
  const pair = Buffer.from(`${credential.username}:${credential.password.reveal()}`).toString('base64')
  return { ...base, authorization: `Basic ${pair}` }
}

export async function credentialOf(settings: ElasticSettings): Promise<Source<ElasticCredential>> {
  const key = await tokenOf('api_key', settings.api_key, settings.api_key_file)
  if (key !== undefined) return derive([key], ([secret]) => secret && { kind: 'api_key', key: secret })
  const basic = await basicOf('', settings.username, settings.password, settings.password_file)
  return basic === undefined ? fixed(undefined) : derive([basic], ([pair]) => pair && { kind: 'basic', ...pair })
}

async function basicOf(
  prefix: string,
  username: string | undefined,
  password: Secret | undefined,
  file: string | undefined,
): Promise<Source<{ username: string; password: Secret }> | undefined> {
  const source = await secretOf(`${prefix}password`, password, file)
  if (username === undefined || source === undefined) return undefined
  return derive([source], ([secret = toSecret('')]) => ({ username, password: secret }))
}

/** What is sent as it is, a token or key: long enough to be found in an answer. */
export const tokenOf = (
  key: string,
  value: Secret | undefined,
  file: string | undefined,
): ReturnType<typeof secretOf> => secretOf(key, value, file, shortestCredential)

export async function secretOf(
  key: string,
  value: Secret | undefined,
  file: string | undefined,
  shortest = 1,
): Promise<Source<Secret> | undefined> {
  if (file === undefined) return value === undefined ? undefined : fixed(value)
  return openFile(`${key}_file`, file, (bytes) => {
    const text = bytes.toString().trim()
    if (text === '') throw new Problem('request_invalid', `${key}_file: ${file} is empty`)
    if (text.length < shortest) throw new Problem('request_invalid', `${key}_file: what ${file} holds ${tooShort}`)
    return toSecret(text)
  })
}

export type Wire = Pick<
  DestinationSettings,
  | 'url'
  | 'ca_file'
  | 'client_certificate_file'
  | 'client_key_file'
  | 'client_key_passphrase'
  | 'allow_metadata_addresses'
  | 'proxy'
  | 'proxy_username'
  | 'proxy_password'
  | 'proxy_password_file'
  | 'proxy_ca_file'
>

export type TrustSettings = Pick<Wire, 'url'> &
  Partial<Pick<Wire, 'ca_file' | 'client_certificate_file' | 'client_key_file' | 'client_key_passphrase'>>

/** To connect, handshake included. */
export const connectTimeoutMs = 10_000

/** Certificates are read again when their files change. Rejects with Problem request_invalid when they cannot be used from the start. */
export async function trustOf(wire: TrustSettings, monotonicMs?: () => number): Promise<Source<Trust>> {
  const names = ['ca_file', 'client_certificate_file', 'client_key_file'] as const
  const sources = await Promise.all(
    names.map(async (name) => {
      const file = wire[name]
      return file === undefined ? fixed(undefined) : openFile(name, file, (bytes) => bytes, monotonicMs)
    }),
  )
  const passphrase = wire.client_key_passphrase?.reveal()
  const secure = wire.url.startsWith('https:')
  return derive<Buffer | undefined, Trust>(sources, ([ca, cert, key]) => {
    if (!secure) return { context: undefined, own: undefined }
    try {
      if (ca !== undefined) new X509Certificate(ca) // what is no certificate would be passed over in silence
      const options = { ca, cert, key, passphrase }
      const given = Object.entries(options).filter(([, value]) => value !== undefined)
      return {
        context: createSecureContext(Object.fromEntries(given)),
        own: cert === undefined ? undefined : readOwn(cert),
      }
    } catch (cause) {
      const which = names.filter((name) => wire[name] !== undefined).join(', ')
      throw new Problem('request_invalid', `${which}: ${messageOf(cause)}`, { cause })
    }
  })
}

export async function proxyOf(wire: Wire, monotonicMs?: () => number): Promise<Proxy | undefined> {
  if (wire.proxy === undefined) return undefined
  const url = new URL(wire.proxy)
  const { proxy_username, proxy_password, proxy_password_file, proxy_ca_file: file } = wire
  const ca =
    file === undefined ? fixed(undefined) : await openFile('proxy_ca_file', file, (bytes) => bytes, monotonicMs)
  return {
    url,
    credential: await basicOf('proxy_', proxy_username, proxy_password, proxy_password_file),
    context: await derive<Buffer | undefined, ReturnType<typeof createSecureContext> | undefined>([ca], ([pem]) =>
      pem === undefined ? undefined : createSecureContext({ ca: pem }),
    ),
    resolver: createResolver(targetOf(url).host, {
      allowMetadataAddresses: wire.allow_metadata_addresses,
      monotonicMs,
    }),
  }
}

export async function outgoingOf(
  wire: Wire,
  connections: number,
  compression: 'none' | 'gzip',
  monotonicMs?: () => number,
  lookUp?: LookUp,
): Promise<Outgoing> {
  const [trust, proxy] = await Promise.all([trustOf(wire, monotonicMs), proxyOf(wire, monotonicMs)])
  const outgoing = createOutgoing(
    {
      url: wire.url,
      connections,
      compression,
      maxAnswerBytes: 16 * 1024 * 1024,
      trust,
      allowMetadataAddresses: wire.allow_metadata_addresses,
      timeoutMs: connectTimeoutMs,
      lookUp,
      ...(proxy === undefined ? {} : { proxy }),
    },
    monotonicMs,
  )
  return withoutCredentials(outgoing)
}
