import type { TrustedKey } from '../log/trusted-key.ts'
import { type LedgerName, ledgerKindOf, nextGeneration } from '../record/record.ts'
import { type SeqRange, weighGone } from '../verify/expiry-records.ts'
import type { LogSource } from '../verify/log-source.ts'
import type { Check } from './verify.ts'
import { compareGenerations, withGenerations } from './verify-generations.ts'
import { type LedgerVerification, type VerifyOptions, verifyLedger } from './verify-log.ts'

/**
 * Several ledgers of one source. Which records are gone, their retention having passed, is at first the word of whoever serves them; where
 * the org's `operations` is verified too, each bundle that is gone must be named by its records of retention: they are written before
 * anything is deleted.
 */
export async function verifyLedgers(
  source: LogSource,
  asked: readonly LedgerName[],
  keys: readonly TrustedKey[],
  optionsOf: (ledger: LedgerName, isClosed: boolean) => VerifyOptions,
): Promise<Pick<LedgerVerification, 'check' | 'note'>[]> {
  const ledgers = await withGenerations(source, asked)
  // Operations last: what was gone when the others were read is on record by then.
  const isOperations = (ledger: LedgerName): boolean => ledgerKindOf(ledger) === 'operations'
  const inOrder = [...ledgers.filter((one) => !isOperations(one)), ...ledgers.filter(isOperations)]
  const verified = new Map<LedgerName, LedgerVerification>()
  for (const ledger of inOrder) {
    const options = optionsOf(ledger, ledgers.includes(nextGeneration(ledger)))
    verified.set(ledger, await verifyLedger(source, ledger, keys, options))
  }
  /** What all generations of the org's `operations` name as destroyed; undefined where none of them was verified. */
  const namedOf = (ledger: LedgerName): SeqRange[] | undefined => {
    const org = ledger.slice(0, ledger.indexOf('/') + 1)
    const of = [...verified].filter(([one]) => isOperations(one) && one.startsWith(org))
    const named = of.flatMap(([, { expiries }]) => (expiries === undefined ? [] : [expiries.of(ledger)]))
    return named.length === 0 ? undefined : named.flat()
  }
  const weighed = new Map<LedgerName, LedgerVerification>()
  for (const [ledger, one] of verified) {
    const check = one.gone.length === 0 ? one.check : addGone(one.check, one.gone, namedOf(ledger), source.name)
    weighed.set(ledger, { ...one, check, note: check.verdict === 'differs' ? undefined : one.note })
  }
  return compareGenerations(weighed)
}

/** `named`: what is on record as destroyed; undefined where that was not verified. */
export function addGone(
  check: Check,
  gone: readonly SeqRange[],
  named: readonly SeqRange[] | undefined,
  source: string,
): Check {
  if (check.verdict === 'differs') return check
  const count = gone.reduce((sum, { first, next }) => sum + next - first, 0)
  if (named === undefined) {
    const word = `${count} are gone, their retention having passed as ${source} says (verify operations with it, whose retention records name what was destroyed), and proved by their leaf hashes`
    return { ...check, detail: `${check.detail}; ${word}` }
  }
  const weighed = weighGone(gone, named)
  if (weighed.kind === 'not_on_record') {
    const { seq, through } = weighed
    const detail = `first bad seq ${seq}: missing: expected records ${seq} to ${through}, found that ${source} says their retention has passed, which no retention record in operations does`
    const difference = { kind: 'missing' as const, seq, through, expected: `records ${seq} to ${through}`, found: 'nothing, and no retention record' } // oxfmt-ignore
    return { ...check, verdict: 'differs', seq, detail, differences: [difference] }
  }
  const beside = weighed.beside === 0 ? '' : ` (${weighed.beside} of them only in one bundle with such)`
  return { ...check, detail: `${check.detail}; ${count} are gone, their retention having passed as the retention records in operations say${beside}, and proved by their leaf hashes` } // oxfmt-ignore
}
