import { Readable } from 'node:stream'
import { Problem } from '../record/problem.ts'

/**
 * What the work answers, where it begins to answer within `ms`. Else Problem unavailable, after `onLate` told the work to stop; an answer that
 * comes all the same is let go, with whatever its stream holds open. What was commanded may still happen: all of it is safe to repeat.
 */
export async function withinTime<T extends { body?: unknown }>(work: Promise<T>, ms: number, onLate: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onLate()
      work.then(({ body }) => body instanceof Readable && body.destroy(), () => {}) // nobody waits for its failure either
      reject(new Problem('unavailable', `this was not answered within ${ms / 1_000} s: ask again, or for less`))
    }, ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
} // oxfmt-ignore
