import { LineCounter, type Document, type Node, type Scalar, isMap, isNode, isScalar, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { Problem } from '../record/problem.ts'
import { sha256Hex } from '../record/sha256.ts'
import { type Contract, contractForm } from './form.ts'

/** What a repository promised to measure: read from YAML, with the place of everything that is wrong with it. */

export interface ContractError {
  line: number
  column: number
  /** `suites[0].tool`; empty where it is about the text. */
  where: string
  reason: string
}

/** Twice what 200 suites take; hostile YAML of this length holds the thread for 0.1 to 0.3 s. */
export const maxContractBytes = 32_768
const maxErrors = 50
const encoder = new TextEncoder()

/** Throws Problem('contract_invalid'); `extra.errors` lists every ContractError. */
export function parseContract(text: string): Contract {
  if (encoder.encode(text).length > maxContractBytes)
    throw invalid([{ line: 1, column: 1, where: '', reason: `a contract has at most ${maxContractBytes} bytes` }])
  const lines = new LineCounter()
  const placeOf = (offset: number): Pick<ContractError, 'line' | 'column'> => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const { document, value } = readYaml(text, lines, placeOf)
  const parsed = contractForm.safeParse(value)
  const errors = parsed.success ? [] : parsed.error.issues.flatMap((issue) => toErrors(issue, document, placeOf))
  const twice = parsed.success ? findTwice(parsed.data) : undefined
  if (twice !== undefined) {
    const path = ['suites', twice.at]
    errors.push({ ...placeOf(offsetOf(document, path)), where: printPath(path), reason: twice.reason })
  }
  if (errors.length > 0 || !parsed.success) throw invalid(errors)
  return parsed.data
}

function readYaml(
  text: string,
  lineCounter: LineCounter,
  placeOf: (offset: number) => Pick<ContractError, 'line' | 'column'>,
): { document: Document; value: unknown } {
  try {
    const document = parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: false,
      version: '1.2',
      logLevel: 'error',
    })
    const wrong = [...document.errors, ...document.warnings].slice(0, maxErrors)
    if (wrong.length > 0)
      throw invalid(wrong.map(({ pos, message }) => ({ ...placeOf(pos[0]), where: '', reason: message })))
    const again = findRepeatedKey(document)
    if (again !== undefined)
      throw invalid([
        { ...placeOf(startOf(again)), where: '', reason: `the key ${String(again.value)} is there twice` },
      ])
    return { document, value: document.toJS({ maxAliasCount: 0 }) }
  } catch (error) {
    if (error instanceof Problem) throw error
    // An alias, or brackets so deep that the reader ran out of stack.
    const reason = error instanceof ReferenceError ? 'aliases (*name) are not taken' : 'this is nested too deeply'
    throw invalid([{ line: 1, column: 1, where: '', reason }])
  }
}

/** The library's own check compares each key with every other one. */
function findRepeatedKey(document: Document): Scalar | undefined {
  let repeated: Scalar | undefined
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) {
          repeated = key
          return visit.BREAK
        }
        seen.add(key.value)
      }
      return undefined
    },
  })
  return repeated
}

function toErrors(
  issue: z.core.$ZodIssue,
  document: Document,
  placeOf: (offset: number) => Pick<ContractError, 'line' | 'column'>,
): ContractError[] {
  if (issue.code !== 'unrecognized_keys')
    return [{ ...placeOf(offsetOf(document, issue.path)), where: printPath(issue.path), reason: issue.message }]
  return issue.keys.slice(0, maxErrors).map((key) => ({
    ...placeOf(keyOffset(document, issue.path, key)),
    where: printPath([...issue.path, key]),
    reason: 'there is no such key',
  }))
}

/** Where the value at `path` stands, or where what should hold it does. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true)
    if (isNode(node)) return startOf(node)
  }
  return 0
}

function keyOffset(document: Document, path: readonly PropertyKey[], key: string): number {
  const map: unknown = path.length === 0 ? document.contents : document.getIn(path, true)
  const found = isMap(map) ? map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key) : undefined
  return found !== undefined && isNode(found.key) ? startOf(found.key) : offsetOf(document, path)
}

const startOf = (node: Node): number => node.range?.[0] ?? 0

export function printPath(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('')
}

function findTwice({ suites = [] }: Contract): { at: number; reason: string } | undefined {
  const seen = new Set<string>()
  for (const [at, { test_type, name }] of suites.entries()) {
    const key = `${test_type}/${name}`
    if (seen.has(key)) return { at, reason: `the suite ${key} is there twice` }
    seen.add(key)
  }
  return undefined
}

function invalid(errors: readonly ContractError[]): Problem {
  const shown = errors.slice(0, maxErrors)
  return new Problem('contract_invalid', shown.slice(0, 5).map(printContractError).join('; '), {
    extra: { errors: shown },
  })
}

export function printContractError({ line, column, where, reason }: ContractError): string {
  return `${line}:${column}: ${where === '' ? '' : `${where}: `}${reason}`
}

/**
 * One text for all ways to write a contract: comments, order and quotes do not matter, and neither does the order of lists. Its SHA-256
 * is what a contract is called by.
 */
export function canonicalContract(contract: Contract): string {
  const { suites, refs, production, identity, ...rest } = contract
  return JSON.stringify(
    sortKeys({
      ...rest,
      refs: refs && sorted(refs),
      identity: identity && sortIdentity(identity),
      production: production && {
        include: sorted(production.include),
        exclude: sortBy(production.exclude, ({ glob }) => glob),
      },
      suites: suites && sortBy(suites.map(sortLists), ({ test_type, name }) => `${test_type}/${name}`),
    }),
  )
}

export function contractDigest(contract: Contract): string {
  return sha256Hex(encoder.encode(canonicalContract(contract)))
}

type Suites = NonNullable<Contract['suites']>

function sortLists(suite: Suites[number]): Suites[number] {
  const { stage, tool, definition, identity } = suite
  return {
    ...suite,
    stage: stage && sorted(stage),
    tool: tool && sortBy(tool, ({ name, version = '' }) => `${name}@${version}`),
    definition: definition && sorted(definition),
    identity: identity && sortIdentity(identity),
  }
}

const sortIdentity = ({ methods, refuse }: NonNullable<Contract['identity']>): Contract['identity'] => ({
  ...(methods === undefined ? {} : { methods: [...new Set(methods)].toSorted() }),
  ...(refuse === undefined ? {} : { refuse: [...new Set(refuse)].toSorted() }),
})

const sorted = (texts: readonly string[]): string[] => [...new Set(texts)].toSorted()

function sortBy<T>(list: readonly T[], key: (one: T) => string): T[] {
  return list.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sortKeys(member)]),
  )
}
