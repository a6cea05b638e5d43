import { encodeBase64 } from '../log/base64.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, generationOf, ledgerKindOf, printTime } from '../record/record.ts'
import { type PackLedger, type PackQuestion, type PackScope, type Stratifier, packRules, packSchema } from '../verify/pack-format.ts' // oxfmt-ignore
import { seedOf } from '../verify/pack-draw.ts'
import { parseAsOf, printAsOf, sizeAsOf, toAsOf } from '../answers/position.ts'
import { resolveDeployment } from './deployment.ts'
import { type PackSources, everyKind } from './sources.ts'

/** What was asked, before anything is looked up. */
export interface Asked {
  from: string
  to?: string | undefined
  repository?: string | undefined
  path?: string | undefined
  lines?: string | undefined
  commit?: string | undefined
  build?: string | undefined
  /** What was deployed: its commit, with everything that was decided about it. */
  deployment?: string | undefined
  sample: number
  seed: string
  stratify: readonly Stratifier[]
  as_of?: string | undefined
}

/** `notes`: the signed note of each ledger that all proofs of the pack lead to. */
export interface Resolved {
  scope: PackScope
  notes: ReadonlyMap<LedgerName, string>
}

/**
 * Fixes the question to sizes of ledgers, after which nothing depends on when it is asked. Throws Problem `request_invalid` for a question
 * that contradicts itself.
 */
export async function resolveQuestion(
  asked: Asked,
  who: { id: string; method: string; bound: boolean },
  sources: PackSources,
): Promise<Resolved> {
  if (asked.path !== undefined && asked.repository === undefined)
    throw new Problem('request_invalid', 'a path is one in a repository: name it')
  if (asked.lines !== undefined && asked.path === undefined)
    throw new Problem('request_invalid', 'lines are those of a path: name it')
  const asOf = asked.as_of === undefined ? undefined : parseAsOf(asked.as_of)
  if (asked.as_of !== undefined && asOf === undefined)
    throw new Problem('request_invalid', `as_of is spelled as in a pack: unit:12,integration:3, not ${asked.as_of}`)
  const heads: { ledger: LedgerName; size: number; root: string }[] = []
  const notes = new Map<LedgerName, string>()
  for (const ledger of sources.ledgers) {
    // A generation that was closed counts whole.
    const whole = asOf === undefined ? undefined : ((await sources.checkpoints.newest(ledger))?.size ?? 0)
    const wanted = asOf === undefined || whole === undefined ? undefined : sizeAsOf(asOf, ledger, whole)
    if (asOf !== undefined && (wanted === undefined || (wanted === 0 && generationOf(ledger) > 1))) continue
    const found = wanted === undefined ? await sources.checkpoints.newest(ledger) : await sources.checkpoints.atOrAfter(ledger, wanted) // oxfmt-ignore
    if (found === undefined) {
      if (wanted === undefined) continue // nothing is published yet
      throw new Problem('request_invalid', `${ledger} is not published up to ${wanted}`)
    }
    const { size, root } = parseCheckpoint(found.note.slice(0, found.note.lastIndexOf('\n\n') + 1))
    notes.set(ledger, found.note)
    heads.push({ ledger, size, root: encodeBase64(root) })
  }
  const from = toMicros(asked.from)
  const to = asked.to === undefined ? await behindNewest(heads, sources) : toMicros(asked.to)
  if (to <= from) throw new Problem('request_invalid', 'the period ends before it begins')
  const ledgers: PackLedger[] = []
  for (const { ledger, size, root } of heads) {
    const start = Math.min(size, await sources.seqAt(ledger, from))
    const end = Math.min(size, await sources.seqAt(ledger, to))
    ledgers.push({ ledger, origin: sources.originOf(ledger), start, end, size, root })
  }
  const deployed = await resolveDeployment(asked, heads, sources)
  const { repository, commit, path, lines, build, deployment, sample, seed, stratify } = { ...asked, ...deployed }
  const question: PackQuestion = { from: printTime(from), to: printTime(to), repository, path, lines, commit, build, deployment, sample, seed, stratify: [...stratify] } // oxfmt-ignore
  const isPart = [repository, path, commit, build, deployment].some((one) => one !== undefined)
  const scope: PackScope = {
    schema: packSchema,
    rules: packRules,
    org: sources.org,
    question,
    asked_by: { id: who.id, method: who.method, ...(who.bound ? { bound: true as const } : {}) },
    as_of: printAsOf(toAsOf(heads)),
    selection: isPart ? 'part' : 'all',
    ledgers,
    seed: await resolveSeed(seed, ledgers, sources),
  }
  return { scope, notes }
}

/**
 * Of `root`, the roots of the first checkpoints after the period in the ledgers of runs, which nobody could know when the runs were made:
 * witnessed where the log is, so that the service cannot have chosen them either.
 */
async function resolveSeed(
  seed: string,
  ledgers: readonly PackLedger[],
  { checkpoints }: PackSources,
): Promise<PackScope['seed']> {
  if (seed !== 'root') return { from: 'given', text: seed, sha256: seedOf(seed) }
  let text = ''
  for (const { ledger, end, size } of ledgers) {
    if (!isOfRuns(ledger) || size === 0) continue
    const found = await checkpoints.atOrAfter(ledger, Math.max(1, end))
    if (found !== undefined && found.size <= size) text += found.note.slice(0, found.note.lastIndexOf('\n\n') + 1)
  }
  return { from: checkpoints.isWitnessed ? 'witnessed root' : 'root', text, sha256: seedOf(text) }
}

export const isOfRuns = (ledger: LedgerName): boolean => ['unit', 'integration'].includes(ledgerKindOf(ledger))

/** The microsecond behind the newest record of all: the period then reaches as far as there is anything. */
async function behindNewest(
  heads: readonly { ledger: LedgerName; size: number }[],
  sources: PackSources,
): Promise<number> {
  let newest = 0
  for (const { ledger, size } of heads) {
    if (size === 0) continue
    for await (const { recordedAt } of sources.records(ledger, size - 1, size, everyKind))
      newest = Math.max(newest, recordedAt + 1)
  }
  return newest
}

/** Of a time with an offset and any number of decimals; what is finer than a microsecond is cut. */
function toMicros(text: string): number {
  const ms = Date.parse(text)
  if (!Number.isFinite(ms)) throw new Problem('request_invalid', `${text} is not a time`)
  const decimals = /\.(\d+)/.exec(text)?.[1] ?? ''
  return Math.floor(ms / 1000) * 1_000_000 + Number(decimals.slice(0, 6).padEnd(6, '0'))
}
