import { generationOf, ledgerKindOf } from '../record/record.ts'
import { isStatementKey } from '../log/statement.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { parseVkey, printVkey } from '../log/vkey.ts'
import { checkLines } from './pack-lines-check.ts'
import { checkFiles } from './pack-files-check.ts'
import { type PackScope, kindOf, knownRules, packNames, packRules } from './pack-format.ts'
import { type PackTrust, checkLog, checkPeriod, openProven } from './pack-log-check.ts'
import { checkPopulation } from './pack-population-check.ts'
import { printReport } from './pack-report.ts'
import { checkSamples } from './pack-sample-check.ts'
import { parseScope } from './pack-scope.ts'
import { checkSeed } from './pack-seed-check.ts'
import { CannotCheck, type PackCheck, type PackSource, attempt, readText } from './pack-source.ts'
import { type LedgerSums, addsUp, printCompleteness } from './pack-sums.ts'
import { createTables } from './pack-tables.ts'

/**
 * An evidence pack, checked with nothing but itself and keys that somebody brings along. Every table and sum in it is made again from the
 * records that were proved, so that what people read cannot say something else than the log.
 */
export async function checkPack(source: PackSource, trust: PackTrust): Promise<PackCheck[]> {
  const checks: PackCheck[] = []
  let scope: PackScope | undefined
  checks.push(
    await attempt('scope', async () => {
      scope = parseScope(await readText(source, packNames.scope))
      return `${scope.question.from} to ${scope.question.to}, ${scope.selection === 'all' ? 'everything' : 'a selection'}, as of ${scope.as_of}`
    }),
  )
  if (scope === undefined) return [...checks, ...(await checkFiles(source, trust.keys.filter(isStatementKey)))]
  const keys = await findKeys(source, scope, trust)
  checks.push(...keys.checks, ...(await checkFiles(source, keys.statement)))
  // By rules that are not known here nothing is made again; everything else is checked all the same.
  const rules = knownRules.find((one) => one === scope?.rules)
  const tables = createTables(rules ?? packRules, scope.question.to)
  const sums: LedgerSums[] = []
  let isPopulationProved = true
  for (const of of scope.ledgers) {
    checks.push(...(await checkLog(source, of, trust)), await checkPeriod(source, of, scope, trust))
    const known = scope
    const population = await attempt(`${kindOf(of.ledger)} records`, async () => {
      const found = await checkPopulation(source, known, of, tables)
      sums.push(found.sums)
      return found.detail
    })
    isPopulationProved &&= population.verdict === 'ok'
    checks.push(population)
  }
  checks.push(await checkSeed(source, scope, trust))
  const samples = await checkSamples(source, scope, tables.runs.sealed(), trust, keys.statement)
  checks.push(...samples.checks)
  checks.push(...(await checkLines(source, scope, trust)))
  const runs = tables.runs.counts()
  const drawn = samples.runs.map(({ stratum, run, ledger, seq }) => ({ stratum, run, record: `${ledger} ${seq}` }))
  const derived = new Map([
    ...tables.finish(),
    [packNames.completeness, printCompleteness(scope, sums, runs)],
    [packNames.report, printReport({ scope, sums, runs, exceptions: tables.exceptions(), samples: drawn })],
  ])
  checks.push(
    await checkDerived(source, rules === undefined ? scope.rules : undefined, derived, sums, isPopulationProved),
  )
  return checks
}

/** The keys on record are compared with those that are trusted; the statement key may come from the log, under a trusted log key. */
async function findKeys(
  source: PackSource,
  scope: PackScope,
  trust: PackTrust,
): Promise<{ statement: TrustedKey[]; checks: PackCheck[] }> {
  const statement = trust.keys.filter(isStatementKey)
  const operations = scope.ledgers.filter(({ ledger }) => ledgerKindOf(ledger) === 'operations')
  const check = await attempt('keys', async () => {
    if (operations.length === 0) throw new CannotCheck('the pack has no ledger of operations, where keys are on record')
    const recorded: TrustedKey[] = []
    const ends = new Map<unknown, number>()
    for (const name of source.names) {
      const [, found, generation = 1] = /^(log\/keys\/(?:(\d+)-)?\d+)\.json$/.exec(name) ?? []
      const of = operations.find(({ ledger }) => generationOf(ledger) === Number(generation))
      if (found === undefined || of === undefined) continue
      const { fields } = await openProven(source, found, of, trust)
      if (fields['kind'] === 'key' && typeof fields['vkey'] === 'string') recorded.push(parseVkey(fields['vkey']))
      if (fields['kind'] === 'key' && typeof fields['until'] === 'number') ends.set(fields['retires'], fields['until'])
    }
    for (const key of recorded) {
      const until = ends.get(printVkey(key))
      if (until !== undefined) key.until = until
    }
    const printed = recorded.map(printVkey)
    statement.push(...recorded.filter((key) => isStatementKey(key) && !statement.some((one) => one.id === key.id)))
    const logs = new Set(trust.keys.filter(({ type, name }) => type === 1 && name.split('/')[1] === scope.org && !name.endsWith('/statement')).map(({ name }) => name)) // oxfmt-ignore
    for (const { origin } of scope.ledgers) logs.delete(origin)
    if (logs.size > 0) throw new CannotCheck(`not in the pack: ${[...logs].join(', ')}, whose keys you trust`)
    for (const { ledger, origin } of scope.ledgers) {
      const mine = trust.keys.filter(({ name, type }) => type === 1 && name === origin)
      if (mine.length > 0 && !mine.some((key) => printed.includes(printVkey(key))))
        throw new Error(`the key that you trust for ${ledger} is not on record: ${mine.map(printVkey).join(', ')}`)
    }
    const listed = (await readText(source, packNames.keys)).split('\n').filter((line) => line !== '')
    if (listed.toSorted().join() !== [...new Set(printed)].toSorted().join()) throw new Error(`${packNames.keys} names other keys than are on record`) // oxfmt-ignore
    return `${printed.length} on record, among them those you trust`
  })
  return { statement, checks: [check] }
}

/** Tables, sums and report are exactly what the records give. */
function checkDerived(
  source: PackSource,
  unknownRules: string | undefined,
  derived: ReadonlyMap<string, string>,
  sums: readonly LedgerSums[],
  isPopulationProved: boolean,
): Promise<PackCheck> {
  return attempt('tables', async () => {
    if (unknownRules !== undefined)
      throw new CannotCheck(`they were made by the rules ${unknownRules}, this program knows ${knownRules.join(', ')}`)
    if (!isPopulationProved) throw new CannotCheck('the records that they are made from are not proved')
    const off = sums.find((sum) => !addsUp(sum))
    if (off !== undefined) throw new Error(`the records of ${off.ledger} do not add up`)
    for (const [name, text] of derived)
      if ((await readText(source, name)) !== text) throw new Error(`${name} is not what the records give`)
    return `${derived.size} tables, sums and report made again from the records: the same`
  })
}
