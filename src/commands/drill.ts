import { setTimeout as sleep } from 'node:timers/promises'
import { drill as drillShape, drillList, type DrillTold } from '../api/drills.ts'
import { ask } from './watch.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline destinations drill`: begins one and waits until it has ended, unless told otherwise. */

const pollMs = 2_000

/** 0 when it held, 1 when it did not, 3 when it proved neither, or is not waited for. */
export async function drill(
  name: string,
  options: { reason: string; ledger?: string; for?: number; wait: boolean },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { reason, ledger, for: forS } = options
  const path = `/v1/destinations/${encodeURIComponent(name)}/drill`
  const body = { reason, ...(ledger === undefined ? {} : { ledger }), ...(forS === undefined ? {} : { for_s: forS }) }
  const begun = await ask(drillShape, { method: 'POST', path, body, signal })
  let state = begun.state
  const tell = (one: DrillTold): void => terminal.say(`${one.destination} ${one.ledger}: ${printState(one)}`)
  tell(begun)
  for (let one = begun; ;) {
    if (one.state === 'ended' || !options.wait) {
      terminal.print(one, () => printDrill(one))
      return one.verdict === 'held' ? 0 : one.verdict === 'not_held' ? 1 : options.wait ? 3 : 0
    }
    await sleep(pollMs, undefined, { signal })
    const found = await ask(drillList, { method: 'GET', path: `/v1/drills?destination=${encodeURIComponent(name)}`, signal }) // oxfmt-ignore
    one = found.drills.find(({ ledger: of, n }) => of === begun.ledger && n === begun.n) ?? one
    if (one.state !== state) tell(one)
    state = one.state
  }
}

function printState({ state, measure_at, hold_until, verdict }: DrillTold): string {
  if (state === 'holding') return `held until ${measure_at} and measured, ${hold_until} at the latest`
  return state === 'closing' ? 'measured, and goes on: has to catch up' : (verdict ?? '')
}

/** Members of `paused` and `resumed` that are shown; written by the service in this form. */
interface Side {
  expected: { count: number }
  there: { count: number }
  sampled: { right: number; altered: number; absent: number }
}

function printDrill(one: DrillTold): string {
  const rows = (['paused', 'resumed'] as const).flatMap((when) => {
    const measure = one[when] as Record<string, Side> | null
    return Object.entries(measure ?? {}).map(([side, { expected, there, sampled }]) => [
      when,
      side,
      ...[expected.count, there.count, sampled.right, sampled.altered, sampled.absent].map(String),
    ])
  })
  const table = rows.length === 0 ? '' : printTable([['lane', 'recorded', 'expected', 'there', 'right', 'altered', 'absent'], ...rows]) // oxfmt-ignore
  return `${table}${oneLine(`${one.verdict ?? one.state}: ${one.reason ?? printState(one)}`)}\n`
}

export async function drills(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const answer = await ask(drillList, { method: 'GET', path: '/v1/drills', signal })
  terminal.print(answer, () => {
    if (answer.drills.length === 0) return 'no drills\n'
    const rows = answer.drills.map((one) => [
      one.started_at,
      one.destination,
      one.ledger,
      one.verdict ?? one.state,
      oneLine(one.reason ?? one.why),
    ])
    return printTable([['began', 'destination', 'ledger', 'verdict', 'found'], ...rows])
  })
  return 0
}
