import type { Decision } from '../history/decision-store.ts'
import type { DispositionFields } from '../record/changes.ts'
import { type Micros, printTime } from '../record/record.ts'
import { lapsedOf } from './dispositions.ts'
import { type Fields, type LineageNode, cut, pick, textOf, withChildren } from './lineage-node.ts'
import type { TracedRun } from './lineage-runs.ts'

/** From the commit down: builds, their stages and runs, gates with what overrode them, deployments, and notes on each of these. Pure. */

export interface CommitFacts {
  repository: string
  commit: string
  /** Oldest first. */
  runs: readonly TracedRun[]
  /** Runs of the commit that are not among them. */
  runsLeftOut: number
  /** Builds, gates, deployments and dispositions, in the order in which they were recorded. */
  decisions: readonly Decided[]
  /** Only this build; undefined for all of the commit. */
  build: string | undefined
  /** The time of the sizes: notes lapse by it. */
  moment: Micros
}

export type Decided = Pick<Decision, 'kind' | 'id' | 'name' | 'build' | 'recordedAt'> & {
  fields: Fields
  /** Of a build. */
  buildSeq: number | undefined
}

/** Newest of each kind at one place. */
const maxDecisions = 20

export function growCommit(facts: CommitFacts): LineageNode {
  const { repository, commit, runs, decisions, build: only } = facts
  const of = (kind: Decision['kind']): Decided[] => decisions.filter((one) => one.kind === kind)
  const notes: Notes = { dispositions: of('disposition'), moment: facts.moment }
  const named = [
    ...of('build').map(({ name }) => name),
    ...runs.flatMap(({ fields }) => textOf(fields, 'build') ?? []),
    ...decisions.flatMap(({ build }) => build ?? []),
  ]
  const every = [...new Set(named)]
  const builds = every.filter((name) => only === undefined || name === only)
  const below = (build: string | undefined): { children: LineageNode[]; leftOut: Record<string, number> } => {
    const own = runs.filter(({ fields }) => textOf(fields, 'build') === build)
    const decided = growDecisions(decisions.filter((one) => one.kind !== 'build' && (one.build ?? undefined) === build), notes) // oxfmt-ignore
    return { children: [...growStages(own, notes), ...decided.nodes], leftOut: decided.leftOut }
  }
  const loose = below(undefined)
  const isOfBuild = ({ fields }: { fields: Fields }): boolean => only === undefined || [undefined, only].includes(textOf(fields, 'build')) // oxfmt-ignore
  const others = facts.runsLeftOut + runs.filter((run) => !isOfBuild(run)).length
  return withChildren(
    { kind: 'commit', id: commit, repository, ...commitClaims(runs) },
    [
      ...builds.map((name) => {
        const { children, leftOut } = below(name)
        return withChildren(buildNode(name, of('build'), runs), children, leftOut)
      }),
      ...loose.children,
    ],
    { ...loose.leftOut, builds: every.length - builds.length, runs: others },
  ) // oxfmt-ignore
}

/**
 * The record that was asked for, with the checkpoint that signs it: at the node that is made of it, else below its part, else in its run, else at
 * the commit.
 */
export function placeAsked(commit: LineageNode, asked: LineageNode): LineageNode {
  const signed = (asked.children ?? []).filter(({ kind }) => kind === 'checkpoint')
  const has = (node: LineageNode, kind: string): boolean => node.children?.some((child) => child.kind === kind) === true
  const isOf = (node: LineageNode): boolean => node.records?.includes(asked.id) === true
  const isHolder = ({ kind, id }: LineageNode): boolean => kind === 'run' && id === asked['run']
  const place = (node: LineageNode): LineageNode | undefined => {
    if (isOf(node)) return { ...node, children: [...(node.children ?? []), ...(has(node, 'checkpoint') ? [] : signed)] }
    const children = node.children ?? []
    for (const [i, child] of children.entries()) {
      const placed = place(child)
      if (placed !== undefined) return { ...node, children: children.with(i, placed) }
    }
    if (!isHolder(node)) return undefined
    const part = children.findIndex(({ kind, id }) => kind === 'part' && id === asked['part'])
    const holder = children[part]
    if (holder === undefined) return { ...node, children: [asked, ...children] }
    return { ...node, children: children.with(part, { ...holder, children: [...(holder.children ?? []), asked] }) }
  }
  return place(commit) ?? { ...commit, children: [...(commit.children ?? []), asked] }
}

/** What the first run that says it says. */
function commitClaims(runs: readonly TracedRun[]): Record<string, unknown> {
  const claims: Record<string, unknown> = {}
  for (const name of ['committed_at', 'parents']) {
    const told = runs.find(({ fields }) => fields[name] !== undefined)?.fields[name]
    if (told !== undefined) claims[name] = told
  }
  const refs = new Set(runs.flatMap(({ fields }) => textOf(fields, 'ref') ?? []))
  return { ...claims, refs: [...refs].toSorted() }
}

function buildNode(name: string, builds: readonly Decided[], runs: readonly TracedRun[]): LineageNode {
  const record = builds.find((one) => one.name === name)
  const buildSeq = record?.buildSeq ?? runs.find(({ fields }) => fields['build'] === name)?.fields['build_seq']
  return {
    kind: 'build', id: name,
    ...(buildSeq === undefined ? {} : { build_seq: buildSeq }),
    ...(record === undefined ? {} : { ...pick(record.fields, ['commit', 'ref']), recorded_at: printTime(record.recordedAt), records: [record.id] }),
  } // oxfmt-ignore
}

/** Runs under their stage, in the order of their first run; those that name none stand by themselves, behind them. */
function growStages(runs: readonly TracedRun[], notes: Notes): LineageNode[] {
  const nodes: LineageNode[] = []
  const byStage = Map.groupBy(runs, ({ fields }) => textOf(fields, 'stage'))
  const loose: LineageNode[] = []
  for (const [stage, some] of byStage) {
    const grown = some.map(({ run, node }) => withNotes(node, notes, [`run:${run}`]))
    if (stage === undefined) loose.push(...grown)
    else nodes.push({ kind: 'stage', id: stage, children: grown })
  }
  return [...nodes, ...loose]
}

const gateFacts = ['verdict', 'enforced', 'reasons', 'contract', 'contract_version', 'as_of', 'counted', 'checks', 'missing', 'report', 'base', 'by'] // oxfmt-ignore
const overrideFacts = ['reason', 'ticket', 'by']
const deploymentFacts = [
  'environment',
  'artifact',
  'decision',
  'enforced',
  'gate',
  'override',
  'url',
  'deployed_at',
  'by',
]

/** A deployment stands below the gate that it rests on, where that is here. */
function growDecisions(
  decided: readonly Decided[],
  notes: Notes,
): { nodes: LineageNode[]; leftOut: Record<string, number> } {
  const gates = decided.filter(({ kind, fields }) => kind === 'gate' && fields['overrides'] === undefined)
  const shown = cut(gates.toReversed(), maxDecisions)
  const ids = new Set(shown.shown.map(({ id }) => id))
  const grow = (kind: string, id: string, one: Decided, facts: readonly string[]): LineageNode => ({
    kind, id, recorded_at: printTime(one.recordedAt), ...pick(one.fields, facts), records: [one.id],
  }) // oxfmt-ignore
  const deployments = cut(decided.filter(({ kind }) => kind === 'deployment').toReversed(), maxDecisions)
  const deployed = deployments.shown.toReversed().map((one) => ({
    gate: textOf(one.fields, 'gate') ?? '',
    node: withNotes(grow('deployment', one.name, one, deploymentFacts), notes, [`deployment:${one.name}`]),
  }))
  const nodes = shown.shown.toReversed().map((gate) => {
    const overrides = decided.filter(({ kind, fields }) => kind === 'gate' && fields['overrides'] === gate.id)
    const children = [
      ...overrides.map((one) => grow('override', one.id, one, overrideFacts)),
      ...deployed.filter((one) => one.gate === gate.id).map(({ node }) => node),
    ]
    return withNotes(withChildren(grow('gate', gate.id, gate, gateFacts), children), notes, [`gate:${gate.id}`])
  })
  const loose = deployed.filter(({ gate }) => !ids.has(gate)).map(({ node }) => node)
  return { nodes: [...nodes, ...loose], leftOut: { gates: shown.more, deployments: deployments.more } }
}

export interface Notes {
  dispositions: readonly Decided[]
  moment: Micros
  /** Of a file as the record has it that the notes are shown beside. */
  blobOf?: (path: string) => string | undefined
}

/** Notes that people left on it, behind its other children. `subjects` as dispositions name them. */
export function withNotes(node: LineageNode, { dispositions, moment, blobOf }: Notes, subjects: readonly string[]): LineageNode {
  const notes = dispositions.filter(({ fields }) => subjects.some((subject) => isAbout(fields, subject)))
  const grown = notes.map(({ id, recordedAt, fields }): LineageNode => {
    const lapsed = lapsedOf(fields as unknown as DispositionFields, moment, blobOf) // by dispositionPayload
    return {
      kind: 'disposition', id, recorded_at: printTime(recordedAt), ...pick(fields, ['subject', 'note', 'verdict', 'until', 'blob', 'by']),
      ...(lapsed === undefined ? {} : { lapsed }),
      records: [id],
    }
  })
  return withChildren(node, [...(node.children ?? []), ...grown], node.left_out)
} // oxfmt-ignore

/** Lines of a file are notes on the file too. */
function isAbout(fields: Fields, subject: string): boolean {
  const named = textOf(fields, 'subject')
  return named === subject || (subject.startsWith('file:') && named?.startsWith(`lines:${subject.slice(5)}:`) === true)
}
