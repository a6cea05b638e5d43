import { chooseGarbage } from '../garbage/kinds.ts'
import { type Random, type Target, statusesOf } from '../garbage/wire.ts'
import type { Meter } from './meter.ts'

/** What garbage may be answered with; 0 is nothing at all. */
const allowed = [0, 200, 201, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 422, 431]

/** One piece of garbage, counted with what is worst among the answers that it got. */
export async function meterGarbage(target: Target, meter: Meter, random: Random): Promise<void> {
  const { kind, send } = chooseGarbage(random)
  await meter.request(`garbage: ${kind}`, allowed, async () => {
    const text = await send(target)
    const retry = /retry-after: (\d+)/i.exec(text)?.[1]
    const headers = new Headers(retry === undefined ? {} : { 'retry-after': retry })
    return { status: Math.max(0, ...statusesOf(text)), headers, text }
  })
}
