import { readFile } from 'node:fs/promises'
import { Problem } from '../record/problem.ts'
import type { Destination } from './destination.ts'
import { createElastic, type ElasticDeps } from './elastic.ts'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import { type Secret, toSecret } from './secret.ts'
import type { DestinationSettings, ElasticSettings, SplunkSettings } from './settings.ts'
import { createSplunk } from './splunk.ts'
import { createSplunkSearch } from './splunk-search.ts'

export interface OpenDestination {
  /** The log's public host name. */
  publicHost: string
  now: () => Date
  /** performance.now; a test replaces it to freeze. */
  monotonicMs?: () => number
}

/** Reads the secrets and certificates that the settings name, and builds the connector. Rejects with the setting's name when its file cannot be read. */
export async function openDestination(settings: DestinationSettings, deps: OpenDestination): Promise<Destination> {
  return settings.type === 'splunk' ? openSplunk(settings, deps) : openElastic(settings, deps)
}

async function openSplunk(settings: SplunkSettings, deps: OpenDestination): Promise<Destination> {
  const token = await secretOf('token', settings.token, settings.token_file)
  if (token === undefined) throw new Error('a Splunk destination needs a token')
  const { search } = settings
  const searchToken = search === undefined ? undefined : await secretOf('search.token', search.token, search.token_file)
  return createSplunk({
    rendering: { publicHost: deps.publicHost, indexes: settings.indexes, eventForm: settings.event_form },
    outgoing: await outgoingOf(settings, settings.concurrency + 2, settings.compression, deps),
    token,
    proof: settings.proof,
    ackDeadlineMs: settings.ack_deadline_ms,
    requestTimeoutMs: settings.request_timeout_ms,
    now: deps.now,
    ...(search === undefined || searchToken === undefined
      ? {}
      : {
          search: {
            client: createSplunkSearch(
              await outgoingOf(search, search.concurrency, 'none', deps),
              searchToken,
              search.timeout_ms,
            ),
            lagMs: search.lag_ms,
          },
        }),
  })
}

async function openElastic(settings: ElasticSettings, deps: OpenDestination): Promise<Destination> {
  return createElastic({
    rendering: { publicHost: deps.publicHost, indexes: settings.indexes },
    outgoing: await outgoingOf(settings, settings.concurrency + 2, settings.compression, deps),
    credential: await credentialOf(settings),
    requestTimeoutMs: settings.request_timeout_ms,
    pipeline: settings.pipeline,
  })
}

async function credentialOf(settings: ElasticSettings): Promise<ElasticDeps['credential']> {
  const key = await secretOf('api_key', settings.api_key, settings.api_key_file)
  if (key !== undefined) return { kind: 'api_key', key }
  const password = await secretOf('password', settings.password, settings.password_file)
  const { username } = settings
  return username === undefined || password === undefined ? undefined : { kind: 'basic', username, password }
}

async function secretOf(key: string, value: Secret | undefined, file: string | undefined): Promise<Secret | undefined> {
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

type Wire = Pick<
  DestinationSettings,
  | 'url'
  | 'ca_file'
  | 'client_certificate_file'
  | 'client_key_file'
  | 'client_key_passphrase'
  | 'allow_metadata_addresses'
>

async function outgoingOf(
  wire: Wire,
  connections: number,
  compression: 'none' | 'gzip',
  deps: OpenDestination,
): Promise<Outgoing> {
  const pem = async (key: string, file: string | undefined) => (file === undefined ? undefined : readNamed(key, file))
  const [ca, cert, key] = await Promise.all([
    pem('ca_file', wire.ca_file),
    pem('client_certificate_file', wire.client_certificate_file),
    pem('client_key_file', wire.client_key_file),
  ])
  const passphrase = wire.client_key_passphrase?.reveal()
  return createOutgoing(
    {
      url: wire.url,
      connections,
      compression,
      maxAnswerBytes: 16 * 1024 * 1024,
      timeoutMs: 10_000,
      allowMetadataAddresses: wire.allow_metadata_addresses,
      tls: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(passphrase === undefined ? {} : { passphrase }),
      },
    },
    deps.monotonicMs,
  )
}
