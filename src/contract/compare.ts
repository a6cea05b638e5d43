import { canonicalContract } from './contract.ts'
import type { Contract } from './form.ts'

/** One difference between two contracts; `null` says that it is not there. */
export interface ContractChange {
  /** `suites[unit/api].tool[0].version`, `production.exclude[src/gen/**].reason`. */
  path: string
  from: string | number | boolean | null
  to: string | number | boolean | null
}

type Scalar = Exclude<ContractChange['from'], null>

/** What differs in meaning, in the order of paths; empty when both are the same contract. */
export function compareContracts(from: Contract | undefined, to: Contract | undefined): ContractChange[] {
  const [before, after] = [flatten(from), flatten(to)]
  return [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((path) => ({ path, from: before.get(path) ?? null, to: after.get(path) ?? null }))
    .filter((change) => change.from !== change.to)
}

/** A line a change: `+` only there now, `-` only there before, `~` another value. */
export function printChanges(changes: readonly ContractChange[]): string {
  return changes
    .map(({ path, from, to }) => {
      if (from === null) return `+ ${path}: ${to}\n`
      return to === null ? `- ${path}: ${from}\n` : `~ ${path}: ${from} -> ${to}\n`
    })
    .join('')
}

function flatten(contract: Contract | undefined): Map<string, Scalar> {
  const found = new Map<string, Scalar>()
  if (contract !== undefined) walk(JSON.parse(canonicalContract(contract)), '', found)
  return found
}

function walk(value: unknown, path: string, found: Map<string, Scalar>): void {
  if (Array.isArray(value)) {
    for (const member of value) {
      const key = keyOf(member)
      if (typeof member === 'string') found.set(`${path}[${key}]`, true)
      else walk(member, `${path}[${key}]`, found)
    }
  } else if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
    if (members.length === 0) found.set(path, true)
    for (const [key, member] of members) walk(member, path === '' ? key : `${path}.${key}`, found)
  } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    found.set(path, value)
}

/** Members of lists are told apart by what names them, so that a suite in another place is the same suite. */
function keyOf(member: unknown): string {
  if (typeof member !== 'object' || member === null) return String(member)
  const { test_type, name, glob, version } = member as Record<string, unknown> // suites, exclusions, tools
  if (typeof test_type === 'string') return `${test_type}/${String(name)}`
  if (typeof glob === 'string') return glob
  return `${String(name)}${typeof version === 'string' ? `@${version}` : ''}`
}
