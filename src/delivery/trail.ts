import { z } from 'zod'
import type { Answer, Trail } from './destination.ts'

/** Where an attempt went, as it stands beside what was kept of its answer. */

const stored = z.object({
  address: z.string().optional(),
  cookie: z.string().optional(),
  token: z.string().optional(),
  ack_id: z.int().min(0).optional(),
  partial: z.literal(true).optional(),
})

export function trailOf(answer: Answer, ackId: number | undefined, partial?: true): Trail {
  if (answer.kind === 'expired') return {}
  const { address, cookie, token } = answer
  return {
    address,
    ...(cookie === undefined ? {} : { cookie }),
    ...(token === undefined ? {} : { token }),
    ...(ackId === undefined ? {} : { ackId }),
    ...(partial === undefined ? {} : { partial }),
  }
}

export function printTrail({ ackId, ...trail }: Trail): z.input<typeof stored> {
  return { ...trail, ...(ackId === undefined ? {} : { ack_id: ackId }) }
}

/** What an earlier build kept has an id and an address; what does not parse is no trail, and every address is asked. */
export function readTrail(answer: Readonly<Record<string, unknown>>): Trail | undefined {
  const { success, data } = stored.safeParse(answer)
  if (!success) return undefined
  const { ack_id: ackId, address, cookie, token, partial } = data
  return {
    ...(address === undefined ? {} : { address }),
    ...(cookie === undefined ? {} : { cookie }),
    ...(token === undefined ? {} : { token }),
    ...(ackId === undefined ? {} : { ackId }),
    ...(partial === undefined ? {} : { partial }),
  }
}
