import { type ArchiveStatus, type HoldTold, archiveStatus as statusShape, hold as holdShape, holdList } from '../api/archive.ts' // oxfmt-ignore
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'
import { count } from './count.ts'

/** Passes over years of days take their time. */
const passMs = 3_600_000

const read = (signal: AbortSignal): Promise<ArchiveStatus> =>
  ask(statusShape, { method: 'GET', path: '/v1/archive', signal })

/** 1 when the last try of something failed. */
export async function archiveStatus(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const status = await read(signal)
  terminal.print(status, () => printArchive(status))
  return exitOf(status)
}

const exitOf = ({ ledgers, failures }: ArchiveStatus): ExitCode =>
  failures.length > 0 || ledgers.some(({ failure }) => failure !== null) ? 1 : 0

function printFailures({ ledgers, failures }: ArchiveStatus): string {
  const own = ledgers.flatMap(({ ledger, failure }) => (failure === null ? [] : [{ subject: ledger, reason: failure }]))
  return [...own, ...failures].map(({ subject, reason }) => `${oneLine(`${subject}: ${reason}`)}\n`).join('')
}

function printArchive(status: ArchiveStatus): string {
  const head = ['ledger', 'days', 'archived to', 'in the database from seq', 'expired days']
  const rows = status.ledgers.map((one) => [one.ledger, String(one.days), one.archived_to ?? 'nothing yet', String(one.database_from), String(one.expired_days)]) // oxfmt-ignore
  return `${printTable([head, ...rows])}${printFailures(status)}`
}

/** 1 when the last try of something failed. */
export async function retentionStatus(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const status = await read(signal)
  terminal.print(status, () => printRetention(status))
  return exitOf(status)
}

function printRetention(status: ArchiveStatus): string {
  const { retention, ledgers, months } = status
  const { online, kept, detach, expire } = retention
  const rule = `${online} months in the database${detach ? '' : ' (moving is switched off)'}, kept ${kept === 'forever' ? 'for ever' : `${kept} months`}${expire ? '' : ' (nothing is deleted: retention.expire is off)'}`
  const parts = months.map(({ test_type, oldest, due }) => [
    test_type,
    oldest ?? 'none',
    `${due} may leave the database`,
  ])
  const rows = ledgers.map(({ ledger, earliest, expirable, held }) => [ledger, `from seq ${earliest}`, `${count(expirable.days, 'day')}, ${count(expirable.records, 'record has passed', 'records have passed')} it`, held.days === 0 ? '' : `${count(held.days, 'day')} held by ${held.holds.join(', ')}`]) // oxfmt-ignore
  return `${rule}\n${printTable(parts)}${printTable(rows)}${printFailures(status)}`
}

/** 1 when something of it failed. */
export async function runNow(
  what: 'archive' | 'retention',
  { reason }: { reason?: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const body = { what, ...(reason === undefined ? {} : { reason }) }
  const status = await ask(statusShape, { method: 'POST', path: '/v1/archive/run', body, signal, idleMs: passMs })
  terminal.print(status, () => (what === 'archive' ? printArchive(status) : printRetention(status)))
  return exitOf(status)
}

export async function holds(options: { all?: boolean }, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const answer = await ask(holdList, { method: 'GET', path: `/v1/holds?all=${options.all === true}`, signal })
  terminal.print(answer, () => (answer.holds.length === 0 ? 'no holds\n' : printHolds(answer.holds)))
  return 0
}

function printHolds(list: readonly HoldTold[]): string {
  const head = ['hold', 'state', 'repository', 'days', 'kept now', 'ticket', 'reason']
  const rows = list.map((one) => [
    one.hold,
    one.state === 'release_asked' ? `release asked by ${one.asked_by ?? ''}` : one.state,
    oneLine(one.path === null ? one.repository : `${one.repository} ${one.path}`),
    one.from === null && one.to === null ? 'all' : `${one.from ?? ''}..${one.to ?? ''}`,
    String(one.days),
    oneLine(one.ticket),
    oneLine(one.reason),
  ])
  return printTable([head, ...rows])
}

export interface AddHold {
  repository: string
  path?: string
  from?: string
  to?: string
  reason: string
  ticket: string
}

export async function addHold(options: AddHold, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { repository, path, from, to, reason, ticket } = options
  const body = { repository, path, from, to, reason, ticket }
  const added = await ask(holdShape, { method: 'POST', path: '/v1/holds', body, signal })
  terminal.print(
    added,
    () => `${added.hold} is in force: ${count(added.days, 'archived day holds', 'archived days hold')} what it names\n`,
  )
  return 0
}

/** 0 released, 3 when somebody else has to confirm. */
export async function releaseHold(
  name: string,
  { reason }: { reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const path = `/v1/holds/${encodeURIComponent(name)}/release`
  const told = await ask(holdShape, { method: 'POST', path, body: { reason }, signal })
  const isReleased = told.state === 'released'
  terminal.print(told, () => (isReleased ? `${name} is released\n` : `the release of ${name} is asked for: another person confirms it by the same command, with a token of their own\n`)) // oxfmt-ignore
  return isReleased ? 0 : 3
}
