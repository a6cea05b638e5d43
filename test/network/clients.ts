import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keySetOf } from '../../src/access/fetch-keys.ts'
import { openPublished } from '../../src/commands/log-sources.ts'
import { readConfig } from '../../src/config.ts'
import type { Answer, Attempt } from '../../src/delivery/destination.ts'
import { openElasticAdmin } from '../../src/delivery/elastic-admin.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { checkConnection, createSteps } from '../../src/delivery/preflight.ts'
import { destinationSettings, type ElasticSettings, type SplunkSettings } from '../../src/delivery/settings.ts'
import { createS3Objects } from '../../src/objects/s3.ts'
import { s3Settings } from '../../src/objects/settings.ts'
import { createClient } from '../../src/producer/client.ts'
import { findIdentityToken } from '../../src/producer/identity-token.ts'
import { createS3Shelf } from '../../src/publish/s3-shelf.ts'
import { openIssuerDoor } from '../../src/service/issuer-door.ts'
import { checkOtlpEndpoints } from '../../src/service/otlp-endpoints.ts'
import { openAsker } from '../../src/vouching/ask.ts'
import type { AlertEvent } from '../../src/watch/run-alerts.ts'
import { openWebhook } from '../../src/watch/webhook.ts'
import { attemptId } from '../delivery/contract.ts'
import { makeRecord } from '../delivery/records.ts'

/** Everything of ours that sends somewhere by HTTP, each in the same words. */
export interface OutgoingClient {
  name: string
  /** Opens it for `url` (scheme, host and port), sends once, and tells in words what came of it. `allowed`: allow_metadata_addresses. */
  send(url: string, allowed: boolean, folder: string): Promise<string>
  /** Whether it then sends, only connects, or only looks where the name leads. */
  does: 'send' | 'connect' | 'look'
}

const signal = (): AbortSignal => AbortSignal.timeout(20_000)
const deps = { publicHost: 'p', now: () => new Date() }
const told = (answer: Answer): string =>
  answer.kind === 'answer' ? `HTTP ${answer.status}` : answer.kind === 'failure' ? answer.message : answer.kind

function splunkOf(url: string, allowed: boolean, search: object = {}): SplunkSettings {
  const settings = { type: 'splunk', url, token: 'push-token', proof: 'answer', allow_metadata_addresses: allowed, ...search } // oxfmt-ignore
  return destinationSettings.parse(settings) as SplunkSettings // of that type
}

const elasticOf = (url: string, allowed: boolean): ElasticSettings =>
  destinationSettings.parse({
    type: 'elastic',
    url,
    api_key: 'a-key-of-ours',
    allow_metadata_addresses: allowed,
  }) as ElasticSettings // of that type; oxfmt-ignore

async function deliver(settings: SplunkSettings | ElasticSettings): Promise<string> {
  const destination = await openDestination(settings, deps)
  try {
    const rendered = destination.render([makeRecord(0)], attemptId())
    const answer = await destination.send(rendered, signal())
    const [outcome] = destination.classify(rendered, answer)
    return `${outcome?.kind}: ${told(answer)}`
  } finally {
    await destination.close()
  }
}

async function lookIntoSplunk(url: string, allowed: boolean): Promise<string> {
  const search = { url, token: 'planted-search-token-5ec7e7ed', lag_ms: 0, allow_metadata_addresses: allowed }
  const destination = await openDestination(splunkOf('http://127.0.0.1:1', false, { search, proof: 'search' }), deps)
  const record = makeRecord(0)
  const attempt: Attempt = { id: attemptId(), target: 'main', members: 1, records: async () => [record], openedAt: new Date(0), deadline: new Date(0) } // oxfmt-ignore
  try {
    const [finding] = await destination.look(attempt, signal())
    return finding?.kind === 'unknown' ? finding.reason : (finding?.kind ?? 'nothing')
  } finally {
    await destination.close()
  }
}

async function ask(url: string, allowed: boolean): Promise<string> {
  const asker = await openAsker(url, { timeout_ms: 5_000, allow_metadata_addresses: allowed })
  try {
    const seen = await asker.ask({ method: 'POST', path: '/add-checkpoint', body: Buffer.from('x') }, signal())
    return seen.kind === 'answer' ? `HTTP ${seen.status}` : seen.detail
  } finally {
    await asker.close()
  }
}

async function keysOf(issuer: string, jwks_uri: string | undefined, allowed: boolean): Promise<string> {
  const timing = { timeout_ms: 5_000, allow_metadata_addresses: allowed }
  const door = await openIssuerDoor(jwks_uri ?? issuer, undefined, timing)
  try {
    return JSON.stringify(await keySetOf({ issuer, jwks_uri }, door.get)())
  } finally {
    await door.close()
  }
}

async function redeem(url: string, allowed: boolean): Promise<string> {
  const door = await openIssuerDoor(url, undefined, { timeout_ms: 5_000, allow_metadata_addresses: allowed })
  try {
    const form = new URLSearchParams({ code: 'a-code', client_secret: 'client-secret' })
    return JSON.stringify(await door.post(`${url}/token`, {}, form))
  } finally {
    await door.close()
  }
}

async function alert(url: string, allowed: boolean, folder: string): Promise<string> {
  const token_file = join(folder, 'webhook-token')
  writeFileSync(token_file, 'webhook-token\n')
  const settings = { url: `${url}/alerts`, token_file, allow_metadata_addresses: allowed }
  const webhook = await openWebhook(settings, signal(), { pausesMs: [], timeoutMs: 5_000 })
  try {
    await webhook.tell({ alert: 'a', n: 1 } as AlertEvent) // of which it only makes JSON
    return 'told'
  } finally {
    await webhook.close()
  }
}

function s3Of(url: string, allowed: boolean, folder: string) {
  const secret_access_key_file = join(folder, 's3-secret')
  writeFileSync(secret_access_key_file, 's3-secret\n')
  const settings = {
    bucket: 'artifacts',
    endpoint: url,
    path_style: true,
    access_key_id: 'AKID',
    secret_access_key_file,
  }
  return s3Settings.parse({ ...settings, allow_metadata_addresses: allowed })
}

async function call(url: string, allowed: boolean): Promise<string> {
  const env = allowed ? { PROOFLINE_ALLOW_METADATA_ADDRESSES: 'true' } : {}
  const client = createClient({ url, token: 'push-token', env, userAgent: 'proofline/0' })
  try {
    const { status } = await client.send({ method: 'PUT', path: '/v1/runs/r', body: Buffer.from('{}'), idleMs: 5_000 })
    return `HTTP ${status}`
  } finally {
    client.close()
  }
}

async function askGithub(url: string, allowed: boolean): Promise<string> {
  const env = { GITHUB_ACTIONS: 'true', ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/token`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret' } // oxfmt-ignore
  const more = allowed ? { PROOFLINE_ALLOW_METADATA_ADDRESSES: 'true' } : {}
  const token = findIdentityToken({ env: { ...env, ...more }, audience: 'https://p.example', userAgent: 'proofline/0' })
  return (await token?.get()) ?? 'none'
}

async function readPublished(url: string, allowed: boolean): Promise<string> {
  if (allowed) process.env['PROOFLINE_ALLOW_METADATA_ADDRESSES'] = 'true'
  const log = openPublished(url, signal())
  try {
    return String(await log.get('checkpoint', true))
  } finally {
    delete process.env['PROOFLINE_ALLOW_METADATA_ADDRESSES']
    log.close()
  }
}

export const clients: readonly OutgoingClient[] = [
  { name: 'delivery to Splunk', does: 'send', send: (url, allowed) => deliver(splunkOf(url, allowed)) },
  { name: 'delivery to Elastic', does: 'send', send: (url, allowed) => deliver(elasticOf(url, allowed)) },
  { name: 'searches in Splunk', does: 'send', send: lookIntoSplunk },
  {
    name: 'set-up and check of Elastic',
    does: 'send',
    async send(url, allowed) {
      const admin = await openElasticAdmin(elasticOf(url, allowed), {}, signal())
      return admin.ask('GET', '/').then(({ status }) => `HTTP ${status}`).finally(() => admin.close()) // oxfmt-ignore
    },
  },
  {
    name: 'the connection that check looks at',
    does: 'connect',
    async send(url, allowed) {
      const steps = createSteps()
      await checkConnection(steps, 'server', elasticOf(url, allowed), new Date())
      return steps.list.map(({ detail }) => detail).join('; ')
    },
  },
  {
    name: 'the proxy of a destination',
    does: 'send',
    send: (url, allowed) => deliver({ ...splunkOf('https://siem.example', allowed), proxy: url }),
  },
  { name: 'a witness, a time-stamping authority', does: 'send', send: ask },
  { name: 'the keys of an issuer', does: 'send', send: (url, allowed) => keysOf(url, `${url}/keys`, allowed) },
  { name: 'the code of a sign-in', does: 'send', send: redeem },
  { name: 'the discovery of an issuer', does: 'send', send: (url, allowed) => keysOf(url, undefined, allowed) },
  { name: 'the webhook of alerts', does: 'send', send: alert },
  {
    name: 'artifacts in S3',
    does: 'send',
    async send(url, allowed, folder) {
      const objects = await createS3Objects(s3Of(url, allowed, folder), { spoolFolder: join(folder, 'spool') })
      return objects.has('a/b').then(String).finally(() => objects.close()) // oxfmt-ignore
    },
  },
  {
    name: 'the published log in S3',
    does: 'send',
    async send(url, allowed, folder) {
      const shelf = await createS3Shelf(s3Of(url, allowed, folder))
      return shelf.get('checkpoint').then(String).finally(() => shelf.close()) // oxfmt-ignore
    },
  },
  { name: 'the command line', does: 'send', send: call },
  { name: "the request for GitHub's token of a job", does: 'send', send: askGithub },
  { name: 'a published log that is verified', does: 'send', send: readPublished },
  {
    name: 'OpenTelemetry',
    does: 'look',
    async send(url, allowed) {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, PROOFLINE_TELEMETRY_ALLOW_METADATA_ADDRESSES: String(allowed) }
      await checkOtlpEndpoints(readConfig(undefined, env))
      return 'taken'
    },
  },
]
