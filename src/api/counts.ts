import { z } from 'zod'
import { count } from './shapes.ts'

/** What a report adds up to, by metric: as recomputed from its lines, and as the report says itself. */

const pair = z.object({ found: count, covered: count })

/** Declared totals may lack what the format does not say; recomputed ones have partial and missed always. */
export const lineCounts = z.object({
  files: count.optional(),
  lines: z.object({ found: count, covered: count, partial: count.optional(), missed: count.optional() }),
  branches: pair.optional(),
  functions: pair.optional(),
  statements: pair.optional(),
  regions: pair.optional(),
  mcdc: pair.optional(),
  calls: pair.optional(),
})
/** Of metric `mutation`: never added to lines. */
export const mutationCounts = z.object({
  files: count,
  mutated_lines: z.object({ found: count, detected: count, survived: count, uncovered: count, undecided: count }),
  mutants: z
    .object({ found: count, detected: count, undetected: count })
    .catchall(count)
    .describe('also by status, in the words of the tools'),
})
export const counts = z.union([lineCounts, mutationCounts]).meta({ id: 'Counts' })
export type Counts = z.infer<typeof counts>
export type LineCounts = z.infer<typeof lineCounts>
export const metric = z.enum(['line', 'mutation'])

/** As the report says itself; what it does not say is absent. `executed` is covered and partial lines together. */
export const declaredTotals = z.object({
  lines: z.object({ found: count, executed: count }).optional(),
  branches: pair.optional(),
  statements: pair.optional(),
  excluded: count.optional().describe("lines that the tool's configuration left out"),
})
export type DeclaredTotals = z.infer<typeof declaredTotals>
