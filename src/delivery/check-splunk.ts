import { hash, randomUUID } from 'node:crypto'
import { toLedgerName } from '../record/record.ts'
import { ledgersOf } from './select.ts'
import type { CheckDeps } from './check-elastic.ts'
import type { Answer } from './destination.ts'
import type { Outgoing } from './outgoing.ts'
import type { Steps, Verdict } from './preflight.ts'
import type { SplunkSettings } from './settings.ts'
import { ackedOf, firstAckIds } from './splunk-answers.ts'
import { printSeconds, splunkIndex } from './splunk-render.ts'
import { type SplunkSearch, quoteSpl } from './splunk-search.ts'
import type { Token, Tokens } from './tokens.ts'

export interface SplunkCheck extends CheckDeps {
  outgoing: Outgoing
  tokens: Tokens
  search: SplunkSearch | undefined
  settings: SplunkSettings
  signal: AbortSignal
}

type Asking = SplunkCheck & { token: Token }

/** What Splunk is asked before it is trusted with records; a canary goes to every index. */
export async function checkSplunk(steps: Steps, given: SplunkCheck): Promise<void> {
  const known = await given.tokens.inOrder()
  const [newest] = known
  if (newest === undefined) throw new Error('a Splunk has a token')
  await steps.run('health', async () =>
    healthVerdict(await send({ ...given, token: newest }, 'GET', '/services/collector/health')),
  )
  /** With the first that works, as the delivery does it. */
  let working: Asking | undefined
  for (const token of known) {
    const deps = { ...given, token }
    await steps.run(token === newest ? 'token' : 'previous token', async () => {
      // An event request without a body: the token is judged first, then the missing body, and nothing is stored.
      const verdict = tokenVerdict(await send(deps, 'POST', '/services/collector/event', ''))
      if (verdict.result === 'ok') working ??= deps
      // Of two one may be gone already, or not be there yet: that is what a rotation is.
      return verdict.result === 'failed' && known.length > 1 ? { ...verdict, result: 'warning' } : verdict
    })
  }
  if (working === undefined) {
    if (known.length > 1) await steps.run('tokens', async () => ({ result: 'failed', detail: 'none of them is taken' }))
    return
  }
  const deps = working
  await steps.run('acknowledgement', async () => ackVerdict(deps))
  const { indexes } = deps.settings
  const kinds = ledgersOf(deps.settings)
  for (const index of new Set(
    kinds.map((kind) => splunkIndex({ publicHost: '', indexes, eventForm: 'object' }, toLedgerName(`main/${kind}`))),
  )) {
    if (deps.search === undefined)
      await steps.run(`${index}: search`, async () => ({
        result: 'warning',
        detail: 'no search is configured: what is in doubt can only be acknowledged or parked',
      }))
    await steps.run(`${index}: canary`, () => canaryVerdict(deps, index))
  }
}

function codeOf(answer: Answer): { status: number; code: number | undefined; said: string } {
  if (answer.kind !== 'answer') {
    const said = answer.kind === 'expired' ? 'not begun in time' : `${answer.phase} ${answer.address}: ${answer.code}`
    return { status: 0, code: undefined, said }
  }
  try {
    const body: unknown = JSON.parse(answer.body)
    const code =
      typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'number'
        ? body.code
        : undefined
    const text = typeof body === 'object' && body !== null && 'text' in body ? String(body.text).slice(0, 200) : ''
    return { status: answer.status, code, said: `HTTP ${answer.status}, code ${code ?? 'none'} ${text}`.trim() }
  } catch {
    return { status: answer.status, code: undefined, said: `HTTP ${answer.status} without an answer of HEC` }
  }
}

/** The word of the health route counts for little: only a refused event proves anything (SIEM.md, case 28). */
function healthVerdict(answer: Answer): Verdict {
  const { status, code, said } = codeOf(answer)
  if (status === 200) return { result: 'ok', detail: said }
  return { result: code !== undefined && code >= 18 && code <= 20 ? 'failed' : 'warning', detail: said }
}

/** By code, see SIEM.md 1.6: 5 comes only behind a token that is known and enabled. */
function tokenVerdict(answer: Answer): Verdict {
  const { status, code, said } = codeOf(answer)
  if (status === 400 && code === 5) return { result: 'ok', detail: 'the token is known and enabled' }
  if (code === 1) return { result: 'failed', detail: `${said}: the token is disabled` }
  if (code === 2 || code === 3 || code === 4)
    return { result: 'failed', detail: `${said}: Splunk does not know this token` }
  if (code === 10 || code === 11)
    return { result: 'failed', detail: `${said}: something on the way takes the channel header away` }
  if (status >= 300 && status < 400)
    return { result: 'failed', detail: `${said}: a redirect; this is not the collector's address` }
  return { result: 'failed', detail: `${said}: is this the address of an HTTP Event Collector?` }
}

async function ackVerdict(deps: Asking): Promise<Verdict> {
  const answer = await send(deps, 'POST', `/services/collector/ack?channel=${randomUUID()}`, '{"acks":[0]}')
  const { status, code, said } = codeOf(answer)
  const wanted = deps.settings.proof === 'ack'
  if (status === 200)
    return { result: 'ok', detail: wanted ? 'switched on' : 'switched on, and not asked for: proof is another' }
  if (code === 14)
    return wanted
      ? { result: 'failed', detail: `${said}: proof is ack, so switch acknowledgement on for this token` }
      : { result: 'ok', detail: 'switched off, and not asked for' }
  return { result: wanted ? 'failed' : 'warning', detail: said }
}

async function canaryVerdict(deps: Asking, index: string): Promise<Verdict> {
  const id = randomUUID()
  const inner = JSON.stringify({ canary: id, check: 'é "quoted" \\ 1.0' })
  const { settings, now } = deps
  const channel = randomUUID()
  const sentMs = now().getTime()
  const head = {
    host: deps.publicHost,
    source: `${deps.publicHost}/canary`,
    sourcetype: 'proofline:canary',
    index,
    fields: { proofline_canary: id },
  }
  const event = settings.event_form === 'object' ? inner : JSON.stringify(inner)
  const body = `{"time":${printSeconds(sentMs * 1000)},${JSON.stringify(head).slice(1, -1)},"event":${event}}\n`
  const { status, code, said } = codeOf(await send(deps, 'POST', '/services/collector/event', body, channel))
  if (status === 400 && code === 7)
    return { result: 'failed', detail: `${said}: the index ${index} is missing, or not allowed to this token` }
  if (status !== 200) return { result: 'failed', detail: said }
  const waits = deps.waitMs
  let acked: string | undefined
  for (;;) {
    const lagMs = now().getTime() - sentMs
    if (settings.proof === 'ack' && acked === undefined) {
      const ids = JSON.stringify({ acks: firstAckIds })
      const asked = await send(deps, 'POST', `/services/collector/ack?channel=${channel}`, ids, channel)
      if (ackedOf(asked, firstAckIds) !== undefined) acked = `acknowledged after ${lagMs} ms`
    }
    const needsAck = settings.proof === 'ack' && acked === undefined
    if (deps.search === undefined && !needsAck)
      return acked === undefined
        ? { result: 'warning', detail: `${said}; nothing can tell whether it was indexed` }
        : { result: 'ok', detail: acked }
    const seen = deps.search === undefined ? undefined : await find(deps, deps.search, index, id, sentMs)
    if (seen?.kind === 'found' && !needsAck)
      return bytesVerdict(seen.digest, hash('sha256', inner, 'hex'), [acked, `found after ${lagMs} ms`])
    if (lagMs > waits) {
      const missing = needsAck ? 'not acknowledged' : seen?.kind === 'missing' ? `not found (${seen.why})` : 'not found'
      return {
        result: 'failed',
        detail: `accepted, and ${missing} for ${lagMs} ms: slow indexing, a role that may not search ${index}, or an index that is not on the indexers`,
      }
    }
    await deps.sleep(Math.min(1_000, Math.max(100, waits / 50)))
  }
}

function bytesVerdict(found: string | undefined, sent: string, said: readonly (string | undefined)[]): Verdict {
  const told = said.filter((text) => text !== undefined).join(', ')
  if (found === sent) return { result: 'ok', detail: `${told}, byte for byte` }
  return {
    result: 'failed',
    detail: `${told}, but its bytes were changed (sha256(_raw) differs): write event_form: string`,
  }
}

async function find(
  deps: Asking,
  search: SplunkSearch,
  index: string,
  id: string,
  sentMs: number,
): Promise<{ kind: 'found'; digest: string | undefined } | { kind: 'missing'; why: string }> {
  const text = `search index=${quoteSpl(index)} sourcetype="proofline:canary" proofline_canary::${id} | eval digest=sha256(_raw) | table digest`
  const seconds = Math.floor(sentMs / 1000)
  const { rows, reason } = await search.run(text, seconds - 3_600, seconds + 3_600, deps.signal)
  const [row] = rows
  if (row === undefined) return { kind: 'missing', why: reason ?? 'the search finds nothing' }
  return { kind: 'found', digest: row['digest']?.toString() }
}

function send(
  deps: Asking,
  method: 'GET' | 'POST',
  path: string,
  body?: string,
  channel: string = randomUUID(),
): Promise<Answer> {
  const headers = {
    authorization: `Splunk ${deps.token.secret.reveal()}`,
    'x-splunk-request-channel': channel,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const request = {
    method,
    path,
    headers,
    timeoutMs: deps.settings.request_timeout_ms,
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  }
  return deps.outgoing.request(request, deps.signal)
}
