import { createHash } from 'node:crypto'
import { z } from 'zod'
import { LogError } from '../log/log-error.ts'
import { isSignedBy, parseRunStatement, producerKeyName, producerOfKey } from '../log/run-statement.ts'
import { createVerifierKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import type { ProducerRow } from './producer-store.ts'
import { type Principal, covers } from './principal.ts'

/**
 * Who made a signed run statement, and of what it may speak. Shown again it does no harm: it is of one request with one body, and recording
 * the same content again gives the first receipt. What it cannot prove is the commit: the holder of the key says so.
 */

const digest = z.string().regex(/^[0-9a-f]{64}$/)
const text = z.string().min(1).max(1_024)
const form = z.strictObject({
  schema: z.literal('proofline.run-statement.v1'),
  producer: z.string().regex(/^[0-9a-f]{16}$/),
  run: text,
  repository: text,
  commit: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  request: z.string().min(1).max(8_192),
  sha256: digest,
  issued_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
})

const leewayMs = 30_000
/** A statement is made for a request that is about to be sent. */
const longestMs = 3_600_000

/** Throws Problem `unauthenticated` for what nobody known signed, `forbidden` where the producer may not push for that repository. */
export async function openRunStatement(
  header: string,
  findProducer: (id: string) => Promise<ProducerRow | undefined>,
  now: Date,
): Promise<Principal> {
  const parsed = readEnvelope(header)
  const id = producerOfKey({ name: parsed.keyid.split('+')[0] ?? '' })
  const row = id === undefined ? undefined : await findProducer(id)
  if (row === undefined || row.revokedAt !== null) throw unauthenticated('nobody here knows its key, or it was revoked')
  if (row.expiresAt <= now.getTime() * 1000) throw unauthenticated('its key has expired')
  const key = createVerifierKey(producerKeyName(row.id), 1, row.publicKey)
  if (!(await isSignedBy(parsed, key))) throw unauthenticated('its signature is not right')
  const said = form.safeParse(readJson(parsed.payload))
  if (!said.success || said.data.producer !== row.id) throw unauthenticated('it does not say what a run statement says')
  const { run, repository, commit, request, sha256, issued_at, expires_at } = said.data
  const [from, to] = [Date.parse(issued_at), Date.parse(expires_at)]
  if (to - from > longestMs) throw unauthenticated('it is valid for more than an hour')
  if (from > now.getTime() + leewayMs) throw unauthenticated('it is from the future: look at the clocks')
  if (to <= now.getTime() - leewayMs) throw unauthenticated('it has expired')
  if (!row.repositories.some((one) => covers(one, repository)))
    throw new Problem('forbidden', `producer ${row.id} may not push for ${repository}`)
  return {
    org: row.org,
    id: `producer:${row.id}`,
    method: 'statement',
    scopes: new Set(['push']),
    repositories: [repository],
    identity: {
      subject: `producer:${row.id}`,
      weak: [],
      verified: { run, commit, key: createHash('sha256').update(row.publicKey).digest('hex') },
    },
    // The run's whole id; it may be cut where a name ends.
    bound: { runs: [run], commit, request: { target: request, sha256 } },
  }
}

function readEnvelope(header: string): ReturnType<typeof parseRunStatement> {
  try {
    return parseRunStatement(header)
  } catch (cause) {
    if (cause instanceof LogError) throw unauthenticated(cause.message, cause)
    throw cause
  }
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return undefined
  }
}

function unauthenticated(reason: string, cause?: unknown): Problem {
  return new Problem('unauthenticated', `the statement is not taken: ${reason}`, { cause })
}
