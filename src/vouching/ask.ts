import { createOutgoing, type Outgoing } from '../delivery/outgoing.ts'
import { trustOf } from '../delivery/wire.ts'

/** One request to a witness or an authority, and what came back. */

export interface Asker {
  /** `path` is appended to that of the address. Rejects on abort only. */
  ask(request: AskRequest, signal: AbortSignal): Promise<Seen>
  close(): Promise<void>
}

export interface AskRequest {
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  body?: Buffer
}

export type Seen =
  | { kind: 'answer'; status: number; headers: Readonly<Record<string, string>>; body: Buffer }
  /** Nothing that could be read: who, and in which phase. */
  | { kind: 'failure'; detail: string }

export interface AskSettings {
  timeout_ms: number
  ca_file?: string | undefined
  allow_metadata_addresses: boolean
}

const maxAnswerBytes = 131_072

/** Rejects with Problem request_invalid when a file that the settings name cannot be read. Follows no redirect, repeats nothing. */
export async function openAsker(url: string, settings: AskSettings): Promise<Asker> {
  const { timeout_ms: timeoutMs, ca_file, allow_metadata_addresses } = settings
  const outgoing: Outgoing = createOutgoing({
    url,
    connections: 2,
    compression: 'none',
    maxAnswerBytes,
    timeoutMs,
    allowMetadataAddresses: allow_metadata_addresses,
    trust: await trustOf({ url, ...(ca_file === undefined ? {} : { ca_file }) }),
  })
  return {
    async ask({ method, path, headers = {}, body }, signal) {
      const request = {
        method,
        path,
        headers,
        timeoutMs,
        encoding: 'latin1' as const,
        ...(body === undefined ? {} : { body }),
      }
      const answer = await outgoing.request(request, signal)
      if (answer.kind === 'answer') {
        const { status, headers: told, body: text } = answer
        return { kind: 'answer', status, headers: told, body: Buffer.from(text, 'latin1') }
      }
      if (answer.kind === 'expired') return { kind: 'failure', detail: 'there was no time left to ask' }
      return { kind: 'failure', detail: `${answer.phase} ${answer.address}: ${answer.message}` }
    },
    close: () => outgoing.close(),
  }
}
