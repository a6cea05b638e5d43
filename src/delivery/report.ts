import type { Finding } from './destination.ts'
import type { Lane } from './lane.ts'
import type { Mark } from './marks.ts'
import type { DeliveryMetrics } from './metrics.ts'

/** What the steps of an attempt come to, for the metrics. Called once a step is stored. */

export function reportSettled(
  metrics: DeliveryMetrics,
  { destination, ledger }: Lane,
  before: readonly Mark[],
  marks: readonly Mark[],
): void {
  for (const [mark, kind] of [
    ['d', 'delivered'],
    ['a', 'accepted'],
    ['r', 'refused'],
  ] as const) {
    const n = marks.filter((other, at) => other === mark && before[at] !== mark).length
    if (n > 0) metrics.settled(destination, ledger, kind, n)
  }
}

const isDoubtful = (mark: Mark | undefined): boolean => mark === 'i' || mark === 'e'

/** What a look found of each member that was looked for. `openedAt` and `at` in microseconds. */
export function reportLook(
  metrics: DeliveryMetrics,
  { destination, ledger }: Lane,
  { before, marks, openedAt, at }: { before: readonly Mark[]; marks: readonly Mark[]; openedAt: number; at: number },
  findings: readonly { at: number; finding: Finding | undefined }[],
): void {
  const counts = new Map<string, { by: string; result: string; count: number }>()
  let proof: string | undefined
  for (const { at: place, finding } of findings) {
    const mark = marks[place]
    if (finding === undefined || finding.kind === 'unknown' || mark === before[place]) continue
    const by = finding.kind === 'present' ? finding.receipt.by : 'look'
    if (mark === 'd') proof ??= by
    if (!isDoubtful(before[place])) continue
    const result = mark === 'd' ? 'present' : mark === 'r' ? 'altered' : 'absent'
    const known = counts.get(`${by} ${result}`) ?? { by, result, count: 0 }
    known.count++
    counts.set(`${by} ${result}`, known)
  }
  for (const { by, result, count } of counts.values()) metrics.resolved(destination, ledger, by, result, count)
  if (proof !== undefined) metrics.proved(destination, proof, (at - openedAt) / 1e6)
}

/** What policy made of members in doubt, where no look did. */
export function reportPolicy(
  metrics: DeliveryMetrics,
  { destination, ledger }: Lane,
  before: readonly Mark[],
  members: readonly { at: number }[],
  result: 'parked' | 'resent',
): void {
  const count = members.filter(({ at }) => isDoubtful(before[at])).length
  if (count > 0) metrics.resolved(destination, ledger, 'policy', result, count)
}
