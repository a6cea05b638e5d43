import type { IncomingMessage, ServerResponse } from 'node:http'
import { whenOver } from './connections.ts'
import type { HttpLimits } from './settings.ts'

/**
 * Cuts off who asks and does not read. What such a reader leaves in the socket holds a page in memory, or an open file, or rows of the
 * database. Ending the connection ends all that with it: the answer's stream is destroyed, and the call's signal aborts.
 */
export function cutSlowReader(
  request: IncomingMessage,
  answer: ServerResponse,
  { answer_idle_ms: idleMs, answer_timeout_ms: totalMs }: Pick<HttpLimits, 'answer_idle_ms' | 'answer_timeout_ms'>,
  onCut: (why: string) => void,
): void {
  const cut = (why: string): void => {
    onCut(why)
    answer.socket?.destroy()
  }
  const total = setTimeout(() => cut(`the answer was not read within ${totalMs} ms`), totalMs)
  // Node's own timer starts again with every byte that leaves. It ends too while we are silent ourselves, in a long poll or while a pack
  // is made: only bytes that wait to leave are the reader's doing.
  answer.setTimeout(idleMs, () => {
    if ((answer.socket?.writableLength ?? 0) > 0) cut(`the answer was not read for ${idleMs} ms`)
    else answer.socket?.setTimeout(idleMs)
  })
  whenOver(request, answer, () => clearTimeout(total))
}
