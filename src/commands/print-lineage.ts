import type { LineageAnswer, LineageNode } from '../api/lineage.ts'
import { oneLine, printBytes } from './terminal.ts'
import { count } from './count.ts'

/** A lineage for people, as a tree: pure. */

export function printLineage({ as_of: asOf, chain, deliveries }: LineageAnswer): string {
  const trees = chain.flatMap((node) => [describe(node), ...below(node, '')])
  return [...trees, '', `as of ${asOf}`, ...printDeliveries(deliveries)].join('\n')
}

function below({ children = [], left_out: leftOut = {} }: LineageNode, indent: string): string[] {
  const more = Object.entries(leftOut).map(([kind, count]) => `and ${count} more: ${kind}`)
  const last = children.length + more.length - 1
  const branch = (i: number): string => `${indent}${i === last ? '└─ ' : '├─ '}`
  return [
    ...children.flatMap((child, i) => [
      `${branch(i)}${describe(child)}`,
      ...below(child, `${indent}${i === last ? '   ' : '│  '}`),
    ]),
    ...more.map((text, i) => `${branch(children.length + i)}${text}`),
  ]
}

function describe(node: LineageNode): string {
  const said = (facts[node.kind]?.(node) ?? []).filter((one) => one !== undefined && one !== '')
  return oneLine([`${node.kind} ${node.id}`, ...said].join('  '))
}

type Said = (string | undefined)[]

const facts: Partial<Record<LineageNode['kind'], (node: LineageNode) => Said>> = {
  commit: (node) => [text(node, 'repository'), prefixed('committed', node, 'committed_at'), list(node, 'refs')],
  build: (node) => [number(node, 'build_seq', 'build_seq'), text(node, 'recorded_at')],
  run: (node) => [
    `${text(node, 'test_type') ?? ''} ${text(node, 'suite') ?? ''}`,
    [text(node, 'state'), list(node, 'reasons')].filter(Boolean).join(': '),
    text(node, 'ended_at') ?? prefixed('declared', node, 'declared_at'),
    by(node),
    text(node, 'url'),
  ],
  part: (node) => [
    `${text(node, 'format') ?? ''} ${text(node, 'definition') ?? ''}`,
    tool(node),
    prefixed('artifact', node, 'artifact_sha256'),
    typeof node['bytes'] === 'number' ? printBytes(node['bytes']) : undefined,
    spans(node),
  ],
  record: (node) => [text(node, 'record_kind'), text(node, 'path'), lines(node), text(node, 'reason'), text(node, 'recorded_at')],
  checkpoint: (node) => [text(node, 'origin'), prefixed('root', node, 'root')],
  gate: (node) => [
    [text(node, 'verdict'), list(node, 'reasons')].filter(Boolean).join(': '),
    node['enforced'] === false ? 'not enforced' : undefined,
    text(node, 'recorded_at'),
    prefixed('report', node, 'report'),
    by(node),
  ],
  override: (node) => [text(node, 'reason'), text(node, 'ticket'), text(node, 'recorded_at'), by(node)],
  deployment: (node) => [
    prefixed('to', node, 'environment'),
    prefixed('decision', node, 'decision'),
    text(node, 'recorded_at'),
    prefixed('artifact', node, 'artifact'),
    by(node),
  ],
  disposition: (node) => [text(node, 'subject'), text(node, 'verdict'), text(node, 'note'), prefixed('until', node, 'until'), prefixed('lapsed:', node, 'lapsed'), by(node)],
} // oxfmt-ignore

const text = (node: LineageNode, name: string): string | undefined =>
  typeof node[name] === 'string' ? node[name] : undefined
const prefixed = (prefix: string, node: LineageNode, name: string): string | undefined =>
  text(node, name) === undefined ? undefined : `${prefix} ${text(node, name)}`
const number = (node: LineageNode, name: string, as: string): string | undefined =>
  typeof node[name] === 'number' ? `${as} ${node[name]}` : undefined
const list = (node: LineageNode, name: string): string | undefined => {
  const value = node[name]
  return Array.isArray(value) && value.length > 0 ? value.map(String).join(', ') : undefined
}

function by(node: LineageNode): string | undefined {
  const { method, subject } = (node['by'] ?? {}) as { method?: unknown; subject?: unknown }
  return typeof subject === 'string' ? `by ${subject.startsWith(String(method)) ? '' : `${String(method)} `}${subject}` : undefined // oxfmt-ignore
}

function tool(node: LineageNode): string | undefined {
  const { name, version } = (node['tool'] ?? {}) as { name?: unknown; version?: unknown }
  return typeof name === 'string' ? [name, version].filter((one) => typeof one === 'string').join(' ') : undefined
}

function lines(node: LineageNode): string | undefined {
  const { found, covered, partial } = (node['lines'] ?? {}) as { found?: number; covered?: number; partial?: number }
  if (found === undefined || covered === undefined || partial === undefined) return undefined
  return `${covered + partial} of ${count(found, 'line')} executed`
}

function spans(node: LineageNode): string | undefined {
  const ranges = node['spans']
  if (!Array.isArray(ranges) || ranges.length === 0) return undefined
  return `records ${(ranges as number[][]).map(([first, last]) => `${first}-${last}`).join(', ')}`
}

function printDeliveries({ observed_at: at, deliveries }: LineageAnswer['deliveries']): string[] {
  if (deliveries.length === 0) return ['sent to no destination']
  const told = deliveries.flatMap(({ destination, record, state, states, attempts }) => {
    const counted = Object.entries((states ?? {}) as Record<string, number>).map(([name, count]) => `${count} ${name}`)
    return [
      `${destination}  ${[record, state, ...counted].filter((one) => one !== undefined).join('  ')}`,
      ...attempts.map(({ attempt, opened_at: opened, steps }) => {
        const newest = steps.at(-1)
        const { by: proof } = (newest?.['receipt'] ?? {}) as { by?: unknown }
        const how = newest === undefined ? 'without an outcome yet' : `${newest.source} ${newest.at}`
        const why = typeof newest?.['reason'] === 'string' ? newest['reason'] : undefined
        return `  attempt ${[attempt, `opened ${opened}`, how, typeof proof === 'string' ? `proved by ${proof}` : undefined, why].filter((one) => one !== undefined).join('  ')}`
      }),
    ]
  }) // oxfmt-ignore
  return [`deliveries as seen at ${at}:`, ...told.map((line) => `  ${line.startsWith('  ') ? '  ' : ''}${oneLine(line)}`)]
} // oxfmt-ignore
