import { alertList, alert as alertShape, reconciliationList, type ReconciledTold } from '../api/watch.ts'
import type { z } from 'zod'
import { connect } from './connect.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline destinations reconcile`, `proofline alerts`: what the service finds when it looks. */

export async function ask<S extends z.ZodType>(
  shape: S,
  request: { method: 'GET' | 'POST'; path: string; body?: object; signal: AbortSignal; idleMs?: number },
): Promise<z.output<S>> {
  const { body, ...rest } = request
  const client = await connect()
  try {
    const { bytes } = await client.send({
      ...rest,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }),
    })
    return shape.parse(JSON.parse(bytes.toString('utf8')))
  } finally {
    client.close()
  }
}

/** Searches over years take their time. */
const comparisonMs = 600_000

/** Compares now. 1 when something differs, 3 when the destination could not be asked. */
export async function reconcile(name: string, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const path = `/v1/destinations/${encodeURIComponent(name)}/reconcile`
  const answer = await ask(reconciliationList, { method: 'POST', path, signal, idleMs: comparisonMs })
  terminal.print(answer, () => printReconciliations(answer.reconciliations))
  const verdicts = answer.reconciliations.map(({ verdict }) => verdict)
  return verdicts.includes('differs') ? 1 : verdicts.includes('unknown') ? 3 : 0
}

function printReconciliations(list: readonly ReconciledTold[]): string {
  if (list.length === 0) return 'nothing was sent to it yet\n'
  const head = ['ledger', 'verdict', 'compared', 'records', 'missing', 'duplicated', 'altered', 'foreign', 'read back']
  const rows = list.map((one) => [
    one.ledger,
    one.verdict,
    one.to === one.from ? 'nothing' : `${one.from}-${one.to - 1}`,
    ...[one.records, one.missing, one.duplicated, one.altered, one.foreign, one.sampled].map(String),
  ])
  const details = list.flatMap(({ ledger, reason, first }) => [
    ...(reason === undefined ? [] : [oneLine(`${ledger}: ${reason}`)]),
    ...first.map(({ kind, id, detail }) => oneLine(`${kind} ${id}: ${detail}`)),
  ])
  return [printTable([head, ...rows]), ...details.map((line) => `${line}\n`)].join('')
}

/** 1 when one is open. */
export async function alerts(options: { all?: boolean }, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const path = `/v1/alerts?all=${options.all === true}`
  const answer = await ask(alertList, { method: 'GET', path, signal })
  terminal.print(answer, () => {
    if (answer.alerts.length === 0) return 'no alerts\n'
    const rows = answer.alerts.map(({ state, severity, alert, at, owner, detail }) => [
      state,
      severity,
      alert,
      at,
      owner,
      oneLine(detail),
    ])
    return printTable([['state', 'severity', 'alert', 'since', 'owner', 'detail'], ...rows])
  })
  return answer.alerts.some(({ state }) => state !== 'closed') ? 1 : 0
}

export async function acknowledge(
  name: string,
  options: { reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const path = `/v1/alerts/${encodeURIComponent(name)}/acknowledge`
  const answer = await ask(alertShape, { method: 'POST', path, body: options, signal })
  terminal.print(answer, () => `${answer.alert} is ${answer.state}\n`)
  return 0
}
