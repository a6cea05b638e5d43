import { isLedgerName } from '../record/record.ts'
import { type PackLedger, type PackScope, type Stratifier, packSchema, stratifiers } from './pack-format.ts'

/** Reads scope.json: everything that a check rests on is looked at. Throws an Error that says what is wrong. */
export function parseScope(text: string): PackScope {
  const value: unknown = JSON.parse(text)
  if (!isObject(value) || value['schema'] !== packSchema) throw new Error(`scope.json is not ${packSchema}`)
  const { question, ledgers, seed, asked_by, selection } = value
  if (!isObject(question) || !isObject(seed) || !isObject(asked_by) || !Array.isArray(ledgers))
    throw new Error('scope.json lacks question, ledgers, seed or asked_by')
  if (selection !== 'all' && selection !== 'part') throw new Error('scope.json does not say what is selected')
  if (
    selection === 'all' &&
    (['repository', 'path', 'commit', 'build', 'deployment'].some((name) => question[name] !== undefined) ||
      asked_by['bound'] !== undefined)
  )
    // oxfmt-ignore
    throw new Error('scope.json selects something and claims to show all')
  for (const name of ['rules', 'org', 'as_of'] as const) assertText(value[name], name)
  for (const name of ['from', 'to', 'seed'] as const) assertText(question[name], `question.${name}`)
  for (const name of ['text', 'sha256', 'from'] as const) assertText(seed[name], `seed.${name}`)
  if (!/^[0-9a-f]{64}$/.test(String(seed['sha256']))) throw new Error('seed.sha256 is not a digest')
  const { sample, stratify } = question
  if (!Number.isSafeInteger(sample) || Number(sample) < 0 || Number(sample) > 1_000) throw new Error('question.sample is not a number of runs') // oxfmt-ignore
  if (!Array.isArray(stratify) || !stratify.every((one): one is Stratifier => stratifiers.includes(one)))
    throw new Error('question.stratify names something else than members of a run')
  if (!ledgers.every(isLedger) || new Set(ledgers.map(({ ledger }) => ledger)).size !== ledgers.length)
    throw new Error('scope.json names ledgers that are none, or one twice')
  return value as unknown as PackScope // every member that is used was looked at
}

function isLedger(value: unknown): value is PackLedger {
  if (!isObject(value)) return false
  const { ledger, origin, start, end, size, root } = value
  const sizes = [start, end, size].every((one) => Number.isSafeInteger(one) && Number(one) >= 0)
  return sizes && typeof ledger === 'string' && isLedgerName(ledger) && typeof origin === 'string' && typeof root === 'string' // oxfmt-ignore
}

function assertText(value: unknown, name: string): void {
  if (typeof value !== 'string') throw new Error(`scope.json has no ${name}`)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
