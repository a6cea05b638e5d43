import { printTime } from '../record/record.ts'
import type { Page } from './feed.ts'

/** Pages as bytes. Record bytes are copied, never parsed and printed again: what arrives is what was hashed into the log. */

/** `application/x-ndjson`: the records, each with a line feed behind it. */
export function pageLines(page: Page): Buffer {
  return join(page, '', '\n', '')
}

/**
 * `application/json`. A full page holds only what can never change; that it is full is reason to ask again, and pollers that know nothing
 * but a flag stop where there is none.
 */
export function pageJson(page: Page, nextUrl: string): Buffer {
  const { short } = page
  const hasMore = short?.hasMore ?? true
  const tail: Record<string, unknown> = { next_cursor: page.nextCursor, next: nextUrl, has_more: hasMore }
  if (short !== undefined) {
    tail['published'] = short.published
    tail['earliest'] = short.earliest
    tail['checkpoint'] = short.checkpoint ?? null
    tail['until'] = short.until === undefined ? null : printTime(short.until)
  }
  return join(page, '{"records":[', ',', `],${JSON.stringify(tail).slice(1)}`)
}

/** Head, records with `glue` after each (after the last one only when it ends lines), tail: one allocation, one copy of each. */
function join(page: Page, head: string, glue: '\n' | ',', tail: string): Buffer {
  const { records } = page
  const start = Buffer.byteLength(head)
  let size = start + Buffer.byteLength(tail)
  for (const record of records) size += record.size + 1
  if (glue === ',' && records.length > 0) size -= 1
  const out = Buffer.allocUnsafe(size)
  let at = out.write(head)
  const last = glue === ',' ? records.length - 1 : -1
  const code = glue.charCodeAt(0)
  for (const [i, record] of records.entries()) {
    at += record.copyTo(out, at)
    if (i !== last) out[at++] = code
  }
  out.write(tail, at)
  return out
}
