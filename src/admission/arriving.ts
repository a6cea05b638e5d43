import { Problem } from '../record/problem.ts'
import type { WorkerBox } from './messages.ts'

/** The chunks of a job's body, in its worker; `note` sees each before it is used. Throws the Problem that ended it on its way here. */
export async function* arriving(box: WorkerBox, note?: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for (;;) {
    const message = await box.next()
    if (message.type === 'end') return
    if (message.type === 'broken') throw new Problem(message.code, message.detail)
    if (message.type !== 'chunk') throw new Error(`the other side said ${message.type} within a body`)
    note?.(message.bytes)
    yield message.bytes
    box.send({ type: 'taken', bytes: message.bytes.length })
  }
}
