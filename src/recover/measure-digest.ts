import { digestOf } from '../admission/run.ts'

/** Digest over what was measured and by which tools, as a seal's row has it: of the totals that the record itself holds. */
export function measureDigest(totals: unknown): string {
  const measures = Array.isArray(totals) ? (totals as { metric?: unknown; definition?: unknown; tool?: unknown }[]) : []
  return digestOf(measures.map(({ metric, definition, tool }) => [metric, definition, tool])).toString('hex')
}
