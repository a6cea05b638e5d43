import { z } from 'zod'

const pattern = /^([1-9]\d{0,4})(s|m|h|d)$/
const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time as people write it. */
const form = 'has to be a time such as 30s, 10m, 12h or 30d'
export const duration = z.string(form).regex(pattern, form)

/** Throws on what `duration` does not take. */
export function durationMs(text: string): number {
  const [, count = '', unit = ''] = pattern.exec(text) ?? []
  if (unit !== 's' && unit !== 'm' && unit !== 'h' && unit !== 'd') throw new Error(`not a time: ${text}`)
  return Number(count) * unitMs[unit]
}
