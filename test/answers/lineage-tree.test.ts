import { describe, expect, it } from 'vitest'
import type { LineageNode } from '../../src/answers/lineage-node.ts'
import type { TracedRun } from '../../src/answers/lineage-runs.ts'
import { type Decided, growCommit, placeAsked, withNotes } from '../../src/answers/lineage-tree.ts'
import { lineageNode } from '../../src/api/lineage.ts'
import { printLineage } from '../../src/commands/print-lineage.ts'
import { namesOf } from '../../src/commands/lineage.ts'

const commit = '4'.repeat(40)
const idOf = (seq: number): string => `main.changes-${seq}-${'a'.repeat(16)}`
const decided = (seq: number, kind: Decided['kind'], name: string, fields: Record<string, unknown> = {}): Decided => ({
  kind, id: idOf(seq), name, build: (fields['build'] as string | undefined) ?? (kind === 'build' ? name : null), recordedAt: seq, buildSeq: kind === 'build' ? seq : undefined, fields,
}) // oxfmt-ignore
const traced = (run: string, fields: Record<string, unknown> = {}): TracedRun =>
  ({ run, fields, node: { kind: 'run', id: run, records: [`main.unit-1-${'b'.repeat(16)}`], children: [{ kind: 'part', id: 'p' }] } }) as unknown as TracedRun // oxfmt-ignore
const grow = (more: Partial<Parameters<typeof growCommit>[0]>): LineageNode =>
  growCommit({ repository: 'r', commit, runs: [], runsLeftOut: 0, decisions: [], build: undefined, moment: 0, ...more })

/** `commit(build(stage(run)) gate)`, by id. */
const sketch = ({ kind, id, children = [], left_out: left }: LineageNode): string =>
  `${kind}:${id.replace(commit, 'c').replaceAll(/main\.changes-(\d+)-a+/g, '$1')}${children.length === 0 ? '' : `(${children.map(sketch).join(' ')})`}${left === undefined ? '' : JSON.stringify(left)}`

const decisions = [
  decided(0, 'build', 'b1', { build: 'b1', commit }),
  decided(1, 'gate', 'b1', { build: 'b1', verdict: 'fail', reasons: ['below_threshold'], enforced: true }),
  decided(2, 'gate', idOf(1), { build: 'b1', verdict: 'overridden', overrides: idOf(1), reason: 'urgent', ticket: 'T-1' }),
  decided(3, 'deployment', 'd1', { build: 'b1', gate: idOf(1), decision: 'overridden', environment: 'production' }),
  decided(4, 'deployment', 'd2', { gate: null, decision: 'none', environment: 'staging' }),
  decided(5, 'disposition', 'deployment', { subject: 'deployment:d1', note: 'as agreed' }),
  decided(6, 'disposition', 'run', { subject: 'run:u2', note: 'a flaky suite' }),
  decided(7, 'disposition', 'gate', { subject: `gate:${idOf(1)}`, note: 'known' }),
] // oxfmt-ignore
const runs = [
  traced('u1', { build: 'b1', stage: 'test' }),
  traced('i1', { build: 'b1', stage: 'verify' }),
  traced('u2', {}),
]

describe('growCommit', () => {
  it('puts runs below stage and build, deployments below the gate they rest on, and notes below what they are about', () => {
    expect(sketch(grow({ runs, decisions }))).toBe(
      'commit:c(build:b1(stage:test(run:u1(part:p)) stage:verify(run:i1(part:p)) gate:1(override:2 deployment:d1(disposition:5) disposition:7)) run:u2(part:p disposition:6) deployment:d2)',
    )
  })

  it('leaves out other builds where one is meant, and says how many', () => {
    const other = [...runs, traced('u3', { build: 'b2' })]
    expect(sketch(grow({ runs: other, decisions: decisions.slice(0, 1), build: 'b1', runsLeftOut: 2 }))).toBe(
      'commit:c(build:b1(stage:test(run:u1(part:p)) stage:verify(run:i1(part:p))) run:u2(part:p)){"builds":1,"runs":3}',
    )
  })

  it('shows the newest of many decisions, oldest first, and counts the others', () => {
    const many = Array.from({ length: 25 }, (_, i) => decided(i, 'gate', commit, { verdict: 'incomplete' }))
    const grown = grow({ decisions: many })
    expect(grown.children?.map(({ id }) => id)).toEqual(many.slice(5).map(({ id }) => id))
    expect(grown.left_out).toEqual({ gates: 5 })
  })

  it('keeps to the shape that the route promises', () => {
    expect(lineageNode.safeParse(grow({ runs, decisions })).error).toBeUndefined()
  })
})

describe('placeAsked', () => {
  const checkpoint = { kind: 'checkpoint', id: 'main/unit@9' }
  const asked = (more: Record<string, unknown>): LineageNode => ({ kind: 'record', id: idOf(99), ...more, children: [checkpoint] }) // oxfmt-ignore

  it.each([
    ['below its part', asked({ run: 'u2', part: 'p' }), 'commit:c(run:u2(part:p(record:99(checkpoint:main/unit@9))))'],
    ['in its run', asked({ run: 'u2', part: 'open' }), 'commit:c(run:u2(record:99(checkpoint:main/unit@9) part:p))'],
    ['at the commit', asked({}), 'commit:c(run:u2(part:p) record:99(checkpoint:main/unit@9))'],
  ])('stands %s', (_where, node, expected) => {
    expect(sketch(placeAsked(grow({ runs: runs.slice(2) }), node))).toBe(expected)
  })

  it('is the node that is made of it, with the checkpoint that signs it', () => {
    expect(sketch(placeAsked(grow({ decisions: decisions.slice(0, 2) }), { ...asked({}), id: idOf(1) }))).toBe(
      'commit:c(build:b1(gate:1(checkpoint:main/unit@9)))',
    )
  })
})

describe('withNotes', () => {
  it('takes a note on lines for one on their file, and not for one on another file of a longer name', () => {
    const notes = [
      decided(1, 'disposition', 'lines', { subject: 'lines:src/a.ts:12-20' }),
      decided(2, 'disposition', 'file', { subject: 'file:src/a.ts.old' }),
      decided(3, 'disposition', 'file', { subject: 'file:src/a.ts' }),
    ]
    const shown = withNotes({ kind: 'record', id: 'x' }, { dispositions: notes, moment: 0 }, ['file:src/a.ts'])
    expect(shown.children?.map(({ id }) => id)).toEqual([idOf(1), idOf(3)])
  })

  it('marks what has lapsed: by its date, or because the file is another one in the record', () => {
    const target = { kind: 'file', path: 'src/a.ts' }
    const dispositions = [
      decided(1, 'disposition', 'file', { target, subject: 'file:src/a.ts', until: '2026-11-01' }),
      decided(2, 'disposition', 'file', { target, subject: 'file:src/a.ts', until: '2026-11-02', blob: 'b1' }),
      decided(3, 'disposition', 'file', { target, subject: 'file:src/a.ts', blob: 'b2' }),
    ]
    const moment = Date.parse('2026-11-02T12:00:00Z') * 1000
    const lapsed = (blobOf?: (path: string) => string) =>
      withNotes({ kind: 'record', id: 'x' }, { dispositions, moment, ...(blobOf && { blobOf }) }, ['file:src/a.ts']).children?.map((node) => node['lapsed']) // oxfmt-ignore
    expect(lapsed(() => 'b1')).toEqual(['until', undefined, 'blob'])
    // What content the file has there is not known.
    expect(lapsed()).toEqual(['until', undefined, undefined])
  })
})

describe('namesOf', () => {
  it.each([
    ['main.unit-184467-37257c217cd0d61e', ['record']],
    ['main.unit.2-184467-37257c217cd0d61e', ['record']],
    ['github.7351001.api.unit', ['run']],
    ['4f2d9b8', ['commit', 'build', 'deployment']],
    ['payments-2026.11.23-7351', ['build', 'deployment']],
    ['siem:main/unit:25:1', ['attempt', 'build', 'deployment']],
    ['parked:siem:main/unit:25:1', ['attempt', 'build', 'deployment']],
    ['deployment:2026-11-23.1', ['deployment']],
  ])('takes %s for %j', (text, kinds) => {
    expect(namesOf(text).map(({ kind }) => kind)).toEqual(kinds)
  })
})

describe('printLineage', () => {
  it('draws the tree, and what was left out', () => {
    const chain = [lineageNode.parse(grow({ runs, decisions, runsLeftOut: 2 }))]
    const deliveries = { observed_at: '2026-11-23T05:00:00.000000Z', deliveries: [] }
    const printed = printLineage({ as_of: 'unit:9,integration:9,changes:8', rules: 'lineage@1', chain, deliveries })
    expect(printed.split('\n').map((line) => line.replaceAll(/main\.changes-(\d+)-a+/g, '$1').replaceAll(/ {2}1970\S+/g, ''))).toEqual([
      `commit ${commit}  r`,
      '├─ build b1  build_seq 0',
      '│  ├─ stage test',
      '│  │  └─ run u1',
      '│  │     └─ part p',
      '│  ├─ stage verify',
      '│  │  └─ run i1',
      '│  │     └─ part p',
      '│  └─ gate 1  fail: below_threshold',
      '│     ├─ override 2  urgent  T-1',
      '│     ├─ deployment d1  to production  decision overridden',
      '│     │  └─ disposition 5  deployment:d1  as agreed',
      `│     └─ disposition 7  gate:1  known`,
      '├─ run u2',
      '│  ├─ part p',
      '│  └─ disposition 6  run:u2  a flaky suite',
      '├─ deployment d2  to staging  decision none',
      '└─ and 2 more: runs',
      '',
      'as of unit:9,integration:9,changes:8',
      'sent to no destination',
    ])
  }) // oxfmt-ignore
})
