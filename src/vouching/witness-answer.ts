import { type Cosignature, readCosignatures } from '../log/add-checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import type { VerifierKey } from '../log/vkey.ts'
import type { Seen } from './ask.ts'

/** What a witness says to one add-checkpoint. Tolerant of what is deployed where that is safe; a cosignature is verified or there is none. */
export type WitnessSays =
  | { kind: 'cosigned'; cosignature: Cosignature }
  /** It cosigned this size last: the proof has to begin there. */
  | { kind: 'elsewhere'; size: number }
  /** It holds that the checkpoint does not continue what it cosigned. */
  | { kind: 'contradicts'; detail: string }
  | { kind: 'failed'; detail: string }

/** A witness whose clock is so far ahead says nothing about when it saw the checkpoint. */
const maxAheadS = 300

export interface Question {
  oldSize: number
  size: number
  /** Text of the note. */
  text: string
  key: VerifierKey
  now: Date
}

export async function readWitnessAnswer(seen: Seen, question: Question): Promise<WitnessSays> {
  if (seen.kind === 'failure') return { kind: 'failed', detail: seen.detail }
  const { status } = seen
  const body = seen.body.toString('utf8')
  const detail = `HTTP ${status}${body === '' ? '' : `: ${(body.split('\n')[0] ?? '').slice(0, 200)}`}`
  switch (status) {
    case 200:
      return readCosigned(body, question)
    case 409: {
      const size = /^(?:0|[1-9][0-9]{0,15})\n?$/.test(body) ? Number(body) : undefined
      if (size !== undefined && Number.isSafeInteger(size) && size !== question.oldSize)
        return { kind: 'elsewhere', size }
      // transparency-dev/witness answers so, without a body, where the specification has 422: one size, another root.
      if (body === '' && question.oldSize === question.size) return { kind: 'contradicts', detail }
      return { kind: 'failed', detail: `${detail}: no other size` }
    }
    case 422:
      return { kind: 'contradicts', detail }
    default:
      // 404 and, of litewitness, 403: it does not know this log. 429: it was asked too often.
      return { kind: 'failed', detail }
  }
}

async function readCosigned(body: string, { text, key, now }: Question): Promise<WitnessSays> {
  try {
    const [cosignature] = await readCosignatures(body, text, [key])
    if (cosignature === undefined) return { kind: 'failed', detail: 'its answer holds no cosignature by its key' }
    const ahead = cosignature.time - Math.floor(now.getTime() / 1000)
    if (ahead > maxAheadS) return { kind: 'failed', detail: `its cosignature is ${ahead} s in the future` }
    return { kind: 'cosigned', cosignature }
  } catch (error) {
    if (error instanceof LogError) return { kind: 'failed', detail: `its cosignature is refused: ${error.message}` }
    throw error
  }
}
