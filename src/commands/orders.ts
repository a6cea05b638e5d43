import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { decided, estimate, lookup, moved, redelivered, settled } from '../api/orders.ts'
import { deadLetterPage, type DeadLetter } from '../api/operations.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'
import { count } from './count.ts'

/** `proofline dead-letters`, `proofline destinations redeliver`, `lookup`, `settle`, `estimate`, `moved`. */

export interface Choice {
  destination?: string
  ledger?: string
  kind?: string
}

/** 1 when there is one. */
export async function deadLetters(choice: Choice, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { destination, ledger, kind } = choice
  const letters: DeadLetter[] = []
  for (let after: string | undefined; ;) {
    const path = withQuery('/v1/dead-letters', { destination, ledger, kind, after, limit: 1_000 })
    const page = deadLetterPage.parse(await ask(deadLetterPage, { method: 'GET', path, signal }))
    letters.push(...page.dead_letters)
    if (page.next === null) break
    after = page.next
  }
  terminal.print({ dead_letters: letters }, () => {
    if (letters.length === 0) return 'no dead letters\n'
    const rows = letters.map(({ kind: of, since, letter, reason }) => [of, since, oneLine(letter), oneLine(reason)])
    return printTable([['kind', 'since', 'letter', 'reason'], ...rows])
  })
  return letters.length > 0 ? 1 : 0
}

export async function decide(
  word: 'retry' | 'discard',
  letters: readonly string[],
  choice: Choice & { reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { destination, ledger, kind, reason } = choice
  if (letters.length === 0 && destination === undefined)
    throw new Problem('request_invalid', `name letters, or the destination whose letters to ${word}`)
  const body = { destination, ledger, kind, reason, ...(letters.length === 0 ? {} : { letters }) }
  const answer = await ask(decided, { method: 'POST', path: `/v1/dead-letters/${word}`, body, signal, idleMs: longMs })
  terminal.print(answer, () => {
    const done = word === 'retry' ? 'sent again' : 'disposed of'
    const left = answer.left === 0 ? '' : `; ${answer.left} are left as they were`
    return `${answer.decided} are ${done}${left}\n`
  })
  return answer.decided > 0 ? 0 : 1
}

/** 3 when more is missing than could be ordered. */
export async function redeliver(
  name: string,
  options: { ledger?: string; from?: string; to?: string; missing?: boolean; reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { ledger, from, to, missing, reason } = options
  const body = { ledger, from, to, missing, reason }
  const answer = await ask(redelivered, { method: 'POST', path: pathOf(name, 'redeliver'), body, signal, idleMs: longMs }) // oxfmt-ignore
  terminal.print(answer, () => {
    const rest = answer.left === 0 ? '' : `${answer.left} more are missing than were noted: when these are there, proofline destinations reconcile ${name}, and this again\n` // oxfmt-ignore
    if (answer.orders.length === 0) return `nothing is missing that is not under way already\n${rest}`
    const lines = answer.orders.map(({ ledger: of, n, first, last }) => `order ${n}: ${of} ${first}-${last}\n`)
    return [
      ...lines,
      `${count(answer.records, 'record')} at most; proofline destinations shows how far it is\n`,
      rest,
    ].join('')
  })
  return answer.left > 0 ? 3 : 0
}

/** The searches themselves on stdout, so that they can be pasted or piped; what they are about on stderr. */
export async function lookUp(name: string, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const answer = await ask(lookup, { method: 'GET', path: pathOf(name, 'lookup'), signal, idleMs: longMs })
  terminal.print(answer, () => answer.searches.map(({ search }) => `${search}\n`).join(''))
  if (terminal.json) return 0
  for (const { ledger, first, last, records, from, to } of answer.searches)
    terminal.say(`${count(records, 'record')} of ${ledger} ${first}-${last}, recorded from ${from} to ${to}`)
  terminal.say(
    answer.searches.length === 0
      ? 'nothing is unresolved'
      : `run each search in Splunk, export its result as CSV, and give it to: proofline destinations settle ${name} --from FILE [--complete]`,
  )
  return 0
}

/** 3 when something is still open. */
export async function settle(
  name: string,
  options: { from: string; complete?: boolean; reason?: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { from, complete, reason } = options
  const found = await stat(from).catch((cause: unknown) => {
    throw new Problem('request_invalid', `${from} cannot be read`, { cause })
  })
  if (!found.isFile()) throw new Problem('request_invalid', `${from} is no file`)
  const client = await connect()
  try {
    const { bytes } = await client.send({
      method: 'POST',
      path: withQuery(pathOf(name, 'settle'), { complete: String(complete === true), reason }),
      headers: { 'content-type': 'text/csv', 'content-length': String(found.size) },
      body: createReadStream(from),
      signal,
      idleMs: longMs,
    })
    const answer = settled.parse(JSON.parse(bytes.toString('utf8')))
    const open = answer.ledgers.reduce((sum, one) => sum + one.open, 0)
    terminal.print(answer, () => {
      const head = ['ledger', 'delivered', 'sent again', 'altered', 'duplicates', 'still open']
      const rows = answer.ledgers.map((one) => [one.ledger, ...[one.delivered, one.absent, one.altered, one.duplicates, one.open].map(String)]) // oxfmt-ignore
      const hint = open > 0 && complete !== true ? 'what is not in the export counts only with --complete\n' : ''
      return `${printTable([head, ...rows])}${hint}`
    })
    return open > 0 ? 3 : 0
  } finally {
    client.close()
  }
}

export async function estimated(
  name: string,
  options: { days?: number },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const path = withQuery(pathOf(name, 'estimate'), { days: options.days })
  const answer = await ask(estimate, { method: 'GET', path, signal, idleMs: longMs })
  terminal.print(answer, () => {
    if (answer.ledgers.length === 0) return 'nothing was recorded in that time\n'
    const head = ['ledger', 'days', 'records a day', 'bytes a record', 'GB a day', 'GB a month kept', 'GB a day on the wire'] // oxfmt-ignore
    const total = { ledger: 'together', days: 0, records: 0, stored_bytes: 0, wire_bytes: 0 }
    for (const one of answer.ledgers)
      for (const key of ['records', 'stored_bytes', 'wire_bytes'] as const) total[key] += one[key]
    const rows = [...answer.ledgers, total].map(({ ledger, days, records, stored_bytes: stored, wire_bytes: wire }) => [
      ledger,
      days === 0 ? '' : String(Math.round(days * 10) / 10),
      String(records),
      records === 0 ? '' : String(Math.round(stored / records)),
      gigabytes(stored),
      gigabytes(stored * daysOfMonth),
      gigabytes(wire),
    ])
    return `${printTable([head, ...rows])}1 GB is 2^30 bytes; Splunk: what the license counts, _raw; Elastic: documents before compression and replicas\n`
  })
  return 0
}

export async function move(
  name: string,
  options: { reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const body = { reason: options.reason }
  const answer = await ask(moved, { method: 'POST', path: pathOf(name, 'moved'), body, signal })
  terminal.print(
    answer,
    () =>
      `${name} is at ${answer.address}${answer.cluster === null ? '' : `, cluster ${answer.cluster}`}${answer.changed ? '' : ' (as before)'}\n`,
  )
  return 0
}

const pathOf = (name: string, what: string): string => `/v1/destinations/${encodeURIComponent(name)}/${what}`

/** Ledgers of years take their time. */
const longMs = 600_000
const daysOfMonth = 30.4

function gigabytes(bytes: number): string {
  const value = bytes / 2 ** 30
  return value === 0 ? '0' : value < 0.001 ? '<0.001' : value.toFixed(3)
}
