import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createOutgoing } from '../delivery/outgoing.ts'
import { withoutCredentials } from '../delivery/redact.ts'
import { shortestCredential, tooShort } from '../delivery/secret.ts'
import { trustOf } from '../delivery/wire.ts'
import { Problem } from '../record/problem.ts'
import type { AlertEvent } from './run-alerts.ts'
import type { WatchSettings } from './settings.ts'

/** Tells each alert by one POST. At least once: the receiver tells repeats by `alert` and `n`. */
export interface Webhook {
  tell(event: AlertEvent): Promise<void>
  close(): Promise<void>
}

/** Pauses before the second and the third try; then the alert stands untold, and that is logged. */
const patience = { pausesMs: [1_000, 5_000], timeoutMs: 10_000 }

/** Rejects when a file that the settings name cannot be read. */
export async function openWebhook(
  settings: NonNullable<WatchSettings['webhook']>,
  signal: AbortSignal,
  { pausesMs, timeoutMs } = patience,
): Promise<Webhook> {
  const url = new URL(settings.url)
  const token = settings.token_file === undefined ? undefined : (await readFile(settings.token_file, 'utf8')).trim()
  if (token !== undefined && token.length < shortestCredential)
    throw new Problem('request_invalid', `watch.webhook.token_file: what ${settings.token_file} holds ${tooShort}`)
  const outgoing = withoutCredentials(
    createOutgoing({
      url: url.origin,
      connections: 1,
      compression: 'none',
      maxAnswerBytes: 65_536,
      timeoutMs,
      allowMetadataAddresses: settings.allow_metadata_addresses,
      trust: await trustOf(settings),
    }),
  )
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  return {
    async tell(event) {
      const body = Buffer.from(JSON.stringify({ schema: 'proofline.alert.v1', ...event }))
      for (let n = 0; ; n++) {
        const path = url.pathname + url.search
        const answer = await outgoing.request({ method: 'POST', path, headers, body, timeoutMs }, signal)
        if (answer.kind === 'answer' && answer.status >= 200 && answer.status < 300) return
        const pause = pausesMs[n]
        const seen = answer.kind === 'answer' ? `HTTP ${answer.status}` : answer.kind === 'failure' ? `${answer.phase} ${answer.address}: ${answer.code} ${answer.message}` : 'expired' // oxfmt-ignore
        if (pause === undefined) throw new Error(`the webhook was not taken: ${seen}`)
        await sleep(pause, undefined, { signal })
      }
    },
    close: () => outgoing.close(),
  }
}
