import type { Destination } from './destination.ts'
import { createElastic } from './elastic.ts'
import type { DestinationSettings, ElasticSettings, SplunkSettings } from './settings.ts'
import type { LookUp } from './resolve.ts'
import { createSplunk } from './splunk.ts'
import { createSplunkSearch } from './splunk-search.ts'
import { createTokens, type Tokens } from './tokens.ts'
import { credentialOf, outgoingOf, tokenOf } from './wire.ts'

export interface OpenDestination {
  /** The log's public host name. */
  publicHost: string
  now: () => Date
  /** performance.now; a test replaces it to freeze. */
  monotonicMs?: () => number
  /** The addresses of the destination's name; the system knows them unless a test replaces it. */
  lookUp?: LookUp
}

/** Reads the secrets and certificates that the settings name, and builds the connector. Rejects with the setting's name when its file cannot be read. */
export async function openDestination(settings: DestinationSettings, deps: OpenDestination): Promise<Destination> {
  return settings.type === 'splunk' ? openSplunk(settings, deps) : openElastic(settings, deps)
}

async function openSplunk(settings: SplunkSettings, deps: OpenDestination): Promise<Destination> {
  const { search } = settings
  const searchToken = search === undefined ? undefined : await tokenOf('search.token', search.token, search.token_file)
  return createSplunk({
    rendering: { publicHost: deps.publicHost, indexes: settings.indexes, eventForm: settings.event_form },
    outgoing: await outgoingOf(settings, settings.concurrency + 2, settings.compression, deps.monotonicMs, deps.lookUp),
    tokens: await tokensOf(settings),
    proof: settings.proof,
    ackDeadlineMs: settings.ack_deadline_ms,
    requestTimeoutMs: settings.request_timeout_ms,
    now: deps.now,
    ...(search === undefined || searchToken === undefined
      ? {}
      : {
          search: {
            client: createSplunkSearch(
              await outgoingOf(search, search.concurrency, 'none', deps.monotonicMs),
              searchToken,
              search.timeout_ms,
            ),
            lagMs: search.lag_ms,
          },
        }),
  })
}

/** The newer one first. */
export async function tokensOf(settings: SplunkSettings): Promise<Tokens> {
  const { token, token_file, previous_token, previous_token_file } = settings
  const sources = await Promise.all([
    tokenOf('token', token, token_file),
    tokenOf('previous_token', previous_token, previous_token_file),
  ])
  return createTokens(sources.filter((source) => source !== undefined))
}

async function openElastic(settings: ElasticSettings, deps: OpenDestination): Promise<Destination> {
  return createElastic({
    rendering: { publicHost: deps.publicHost, indexes: settings.indexes },
    outgoing: await outgoingOf(settings, settings.concurrency + 2, settings.compression, deps.monotonicMs, deps.lookUp),
    credential: await credentialOf(settings),
    requestTimeoutMs: settings.request_timeout_ms,
    pipeline: settings.pipeline,
  })
}
