import { randomUUID } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import type { Outgoing } from './outgoing.ts'
import type { Secret } from './secret.ts'
import { sendWith, type Source } from './source.ts'

/** One row of a search: field values as text. */
export type Row = Readonly<Record<string, string | readonly string[]>>

/**
 * `complete` false: rows may be missing (a peer did not answer, a message of warning or worse, a line that does not parse, no last row), so
 * that absence means nothing. What is there, is there.
 */
export interface Found {
  rows: Row[]
  complete: boolean
  reason?: string
}

export interface SplunkSearch {
  /** Runs one search over [earliest, latest) seconds. Never rejects but on abort. */
  run(search: string, earliest: number, latest: number, signal: AbortSignal): Promise<Found>
  certificates(): Certificate[]
  close(): Promise<void>
}

/** The export endpoint of the management port: newline-delimited JSON objects, each with `result` or `messages`. */
export function createSplunkSearch(outgoing: Outgoing, token: Source<Secret>, timeoutMs: number): SplunkSearch {
  return {
    async run(search, earliest, latest, signal) {
      // The search itself adds the last row, another one each time: a 200 without it was cut short, is empty or was another search's.
      const end = randomUUID()
      const form = new URLSearchParams({
        search: `${search} | append [| makeresults | eval ${endField}="${end}"]`,
        earliest_time: String(earliest),
        latest_time: String(latest),
        output_mode: 'json',
        preview: 'false',
      })
      const answer = await sendWith(token, (secret) =>
        outgoing.request(
          {
            method: 'POST',
            path: '/services/search/v2/jobs/export',
            headers: {
              authorization: `Bearer ${secret.reveal()}`,
              'content-type': 'application/x-www-form-urlencoded',
            },
            body: Buffer.from(form.toString()),
            timeoutMs,
          },
          signal,
        ),
      )
      if (answer.kind === 'expired') return { rows: [], complete: false, reason: 'the search was not begun in time' }
      if (answer.kind === 'failure') {
        return { rows: [], complete: false, reason: `search: ${answer.phase} ${answer.address}: ${answer.code}` }
      }
      if (answer.status !== 200) return { rows: [], complete: false, reason: `search: HTTP ${answer.status}` }
      return readRows(answer.body, end)
    },
    certificates: () => outgoing.certificates(),
    close: () => outgoing.close(),
  }
}

const endField = 'proofline_end'

export function readRows(body: string, end: string): Found {
  const rows: Row[] = []
  let isWhole = false
  let reason: string | undefined
  for (const line of body.split('\n')) {
    if (line.trim() === '') continue
    try {
      const parsed: unknown = JSON.parse(line)
      if (typeof parsed !== 'object' || parsed === null) throw new Error('not an object')
      if ('messages' in parsed && Array.isArray(parsed.messages)) reason ??= worst(parsed.messages)
      if ('preview' in parsed && parsed.preview === true) continue
      if ('result' in parsed && typeof parsed.result === 'object' && parsed.result !== null) {
        const row = toRow(parsed.result)
        if (row === undefined) throw new Error('not a row')
        if (row[endField] === undefined) rows.push(row)
        else isWhole ||= row[endField] === end
      }
    } catch {
      reason ??= 'search: a line of the answer does not parse'
    }
  }
  if (!isWhole) reason ??= 'search: the answer ends before its last row'
  return reason === undefined ? { rows, complete: true } : { rows, complete: false, reason }
}

/** Values are text or lists of text; undefined for anything else, which would fail later where it is taken for text. */
function toRow(result: object): Row | undefined {
  const row: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(result) as [string, unknown][]) {
    const values = [value].flat().filter((one) => typeof one === 'string')
    if (values.length !== [value].flat().length) return undefined
    row[name] = typeof value === 'string' ? value : values
  }
  return row
}

function worst(messages: readonly unknown[]): string | undefined {
  for (const message of messages) {
    if (typeof message !== 'object' || message === null || !('type' in message)) return 'search: an unknown message'
    if (message.type !== 'INFO' && message.type !== 'DEBUG') {
      return `search: ${String(message.type)} ${'text' in message ? String(message.text).slice(0, 160) : ''}`
    }
  }
  return undefined
}

/** A value in double quotes, as SPL reads it. */
export function quoteSpl(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
