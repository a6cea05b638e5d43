/** One thing in a lineage, what is known of it, and what came of it or belongs to it. */
export interface LineageNode {
  kind: string
  id: string
  [fact: string]: unknown
  /** Ids of the records that say so. */
  records?: string[]
  children?: LineageNode[]
  /** What is there and not shown, counted by kind. */
  left_out?: Record<string, number>
}

export type Fields = Readonly<Record<string, unknown>>

/** Those of these members that a record has, in this order. */
export function pick(fields: Fields, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])))
}

export function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  return typeof value === 'string' ? value : undefined
}

/** Children and what was left out, only where there is any. */
export function withChildren(node: LineageNode, children: readonly LineageNode[], leftOut: Record<string, number> = {}): LineageNode {
  const counted = Object.entries(leftOut).filter(([, count]) => count > 0)
  return {
    ...node,
    ...(children.length === 0 ? {} : { children: [...children] }),
    ...(counted.length === 0 ? {} : { left_out: Object.fromEntries(counted) }),
  }
} // oxfmt-ignore

/** The first `most`, and how many more there are. */
export function cut<T>(list: readonly T[], most: number): { shown: readonly T[]; more: number } {
  return { shown: list.slice(0, most), more: Math.max(0, list.length - most) }
}
