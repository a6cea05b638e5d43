import type { LedgerName } from '../record/record.ts'
import { Problem } from '../record/problem.ts'
import { type RecoveredLedger, recoverAll } from '../recovering.ts'
import { openPublished } from './log-sources.ts'
import { type MaintainCommand, withStorage } from './maintain.ts'
import { type ExitCode, type Terminal, printBar } from './terminal.ts'

export interface RecoverCommand extends MaintainCommand {
  from?: string[]
  ledger?: string[]
  dryRun?: boolean
}

/** `proofline recover`: 0 when every ledger has what was signed, 3 when something is nowhere, 1 when the records here are not those that were signed. */
export async function recover(options: RecoverCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  return withStorage(
    options,
    async (storage, config) => {
      const wanted = (ledger: LedgerName): boolean =>
        options.ledger === undefined ||
        options.ledger.some((name) => name === ledger || `${config.org}/${name}` === ledger)
      const ledgers = storage.ledgers.filter(wanted)
      if (ledgers.length === 0)
        throw new Problem('request_invalid', `--ledger names none of ${storage.ledgers.join(', ')}`)
      const dryRun = options.dryRun === true
      const results = await recoverAll({
        config,
        storage,
        ledgers,
        places: options.from ?? [],
        openPlace: (place) => openPublished(place, signal),
        dryRun,
        onProgress: (ledger, done, of) => terminal.progress(printBar(ledger, done, of)),
        signal,
      })
      terminal.print({ schema: 'proofline.recovery.v1', dry_run: dryRun, ledgers: results }, () =>
        results.map((one) => printResult(one, dryRun)).join('\n'),
      )
      if (results.some(({ verdict, audit }) => verdict === 'other' || (audit?.differenceCount ?? 0) > 0)) return 1
      return results.some(({ verdict }) => verdict === 'incomplete') ? 3 : 0
    },
    'keys',
  )
}

function printResult({ ledger, verdict, had, size, signed, missing, from, refused, audit }: RecoveredLedger, dryRun: boolean): string {
  const whence = Object.entries(from).map(([name, count]) => `${count} from ${name}`)
  const would = dryRun ? ' would be' : ''
  const said = {
    whole: `whole       ${ledger}: ${had} records, as signed`,
    recovered: `recovered   ${ledger}: ${size - had} records${would} put back (${whence.join(', ')}), ${size} as signed`,
    incomplete: `INCOMPLETE  ${ledger}: ${had} records here, ${signed} were signed; ${size - had}${would} put back${whence.length > 0 ? ` (${whence.join(', ')})` : ''}; nobody has ${missing.map(([a, b]) => (a === b ? a : `${a} to ${b}`)).join(', ') || 'what leads to the signed root'}`,
    other: `OTHER       ${ledger}: the records here are not those that were signed`,
  }[verdict]
  const first = audit?.differences[0]
  const audited = audit === undefined ? [] : first === undefined ? [`            verified: ${audit.checked} records, every one hashed again, lead to the root`] : [`            DIFFERS at ${first.seq}: ${first.kind}: expected ${first.expected}, found ${first.found}`]
  return [said, ...audited, ...refused.map((why) => `            not believed: ${why}`)].join('\n')
} // oxfmt-ignore
