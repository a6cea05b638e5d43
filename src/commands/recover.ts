import type { ClosedLedger } from '../ledger/closed-store.ts'
import { type LedgerName, firstGeneration, nextGeneration } from '../record/record.ts'
import { Problem } from '../record/problem.ts'
import { type RecoveredLedger, recoverAll } from '../service/recovering.ts'
import { openPublished } from './log-sources.ts'
import { type MaintainCommand, withStorage } from './maintain.ts'
import { type ExitCode, type Terminal, printBar } from './terminal.ts'
import { count } from './count.ts'

export interface RecoverCommand extends MaintainCommand {
  from?: string[]
  ledger?: string[]
  dryRun?: boolean
  acceptLoss?: boolean
  reason?: string
}

/** `proofline recover`: 0 when every ledger has what was signed, or its loss was accepted, 3 when something is nowhere, 1 when the records here are not those that were signed. */
export async function recover(options: RecoverCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { acceptLoss, reason } = options
  if (acceptLoss === true && (reason === undefined || reason.trim() === '' || Buffer.byteLength(JSON.stringify(reason)) > 258))
    throw new Problem('request_invalid', '--accept-loss goes on record: say why in at most 256 bytes, --reason TEXT') // oxfmt-ignore
  return withStorage(
    options,
    async (storage, config) => {
      const wanted = (ledger: LedgerName): boolean =>
        options.ledger === undefined ||
        options.ledger.some(
          (name) =>
            name === ledger ||
            `${config.org}/${name}` === ledger ||
            `${config.org}/${name}` === firstGeneration(ledger),
        )
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
        acceptLoss: acceptLoss === true && reason !== undefined ? { reason } : undefined,
        onProgress: (ledger, done, of) => terminal.progress(printBar(ledger, done, of)),
        signal,
      })
      terminal.print({ schema: 'proofline.recovery.v1', dry_run: dryRun, ledgers: results.map(told) }, () =>
        results.map((one) => printResult(one, dryRun, acceptLoss === true)).join('\n'),
      )
      if (results.some(({ verdict, audit }) => verdict === 'other' || (audit?.differenceCount ?? 0) > 0)) return 1
      return results.some(({ verdict, closed }) => verdict === 'incomplete' && closed === undefined) ? 3 : 0
    },
    'keys',
  )
}

function printResult({ ledger, verdict, had, size, signed, missing, from, refused, audit, closed }: RecoveredLedger, dryRun: boolean, accepting: boolean): string {
  const whence = Object.entries(from).map(([name, count]) => `${count} from ${name}`)
  const would = dryRun ? ' would be' : ''
  const said = {
    whole: `whole       ${ledger}: ${count(had, 'record')}, as signed`,
    recovered: `recovered   ${ledger}: ${count(size - had, 'record')}${would} put back (${whence.join(', ')}), ${size} as signed`,
    incomplete: `INCOMPLETE  ${ledger}: ${count(had, 'record')} here, ${signed} were signed; ${size - had}${would} put back${whence.length > 0 ? ` (${whence.join(', ')})` : ''}; nobody has ${missing.map(([a, b]) => (a === b ? a : `${a} to ${b}`)).join(', ') || 'what leads to the signed root'}`,
    other: `OTHER       ${ledger}: the records here are not those that were signed`,
  }[verdict]
  const first = audit?.differences[0]
  const audited = audit === undefined ? [] : first === undefined ? [`            verified: ${count(audit.checked, 'record')}, every one hashed again, lead to the root`] : [`            DIFFERS at ${first.seq}: ${first.kind}: expected ${first.expected}, found ${first.found}`]
  const given = accepting && verdict === 'incomplete' && closed === undefined ? [`            would be closed, and ${nextGeneration(ledger)} opened: the records from ${size} to ${signed - 1} would be lost`] : []
  return [said, ...audited, ...given, ...(closed === undefined ? [] : printClosed(closed)), ...refused.map((why) => `            not believed: ${why}`)].join('\n')
} // oxfmt-ignore

/** What is lost, and for whom that matters. */
function printClosed({ ledger, next, size, unsigned, signedSize, notes }: ClosedLedger): string[] {
  const proofs = notes.length === 0 ? 'the guard has its root' : `signed notes of it: ${notes.map(({ from, size: at }) => `${at} from ${from}`).join(', ')}` // oxfmt-ignore
  return [
    `CLOSED      ${ledger} at ${size}: the records ${size} to ${signedSize - 1} are lost (${proofs})`,
    ...(unsigned > 0 ? [`            ${unsigned} of them lie in the tables, covered by no checkpoint that is left: nobody is shown them`] : []), // oxfmt-ignore
    '            receipts over them cannot be honoured here: whoever holds one has proof that its record existed',
    `            ${next} is recorded in from the next start on; its first record says what was lost`,
  ]
}

const told = ({ lastSigned, lostNotes: _notes, closed, ...rest }: RecoveredLedger) => ({
  ...rest,
  signed_root: lastSigned === undefined ? null : Buffer.from(lastSigned.root).toString('base64'),
  closed:
    closed === undefined
      ? null
      : { next: closed.next, size: closed.size, signed_size: closed.signedSize, unsigned: closed.unsigned },
})
