import { type GateAnswer, gate as gateShape, gateWaiting, override as overrideShape } from '../api/gates.ts'
import type { Client } from '../producer/client.ts'
import { printPercent } from '../record/percent.ts'
import { connect } from './connect.ts'
import { wholeCommit } from './commit-name.ts'
import { type SubjectOptions, defined, findSubject } from './decision-place.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'

/** `proofline gate`. */

export interface GateCommand extends SubjectOptions {
  base?: string
  /** Seconds. */
  wait?: number
}

/** The service waits so long at most; asking again is cheap. At first not long, so that who looks on sees what is waited for. */
const waitAtOnceS = 25
const waitFirstS = 2

export async function gate(
  named: string | undefined,
  options: GateCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { repository, commit, build, ref, folder } = await findSubject(named, options)
  const base = options.base === undefined ? undefined : await wholeCommit(options.base, folder)
  const body = defined({ repository, commit, build, ref, base })
  const client = await connect()
  try {
    const until = performance.now() + (options.wait ?? 0) * 1_000
    for (let last = ''; ;) {
      const left = Math.ceil((until - performance.now()) / 1_000)
      const answer = await decide(
        client,
        { ...body, wait_s: Math.max(0, Math.min(last === '' ? waitFirstS : waitAtOnceS, left)) },
        signal,
      )
      if (!('waiting_for' in answer)) {
        terminal.print(answer, () => printGate(answer))
        return exitOf(answer, terminal)
      }
      const text = `waiting for ${answer.waiting_for.map((one) => `${one.test_type} ${one.suite} (${one.reason})`).join(', ')}` // oxfmt-ignore
      if (text !== last) terminal.say(oneLine(text))
      last = text
    }
  } finally {
    client.close()
  }
}

async function decide(client: Client, body: Record<string, unknown>, signal: AbortSignal) {
  const headers = { 'content-type': 'application/json' }
  const sent = await client.send({ method: 'POST', path: '/v1/gates', headers, body: Buffer.from(JSON.stringify(body)), signal }) // oxfmt-ignore
  const answer: unknown = JSON.parse(sent.bytes.toString('utf8'))
  return sent.status === 202 ? gateWaiting.parse(answer) : gateShape.parse(answer)
}

function exitOf({ verdict, override, contract, enforced }: GateAnswer, terminal: Terminal): ExitCode {
  if (verdict === 'pass' || override !== null) return 0
  if (contract !== null && !enforced) {
    terminal.say('note: nothing stops here: the contract only observes')
    return 0
  }
  return verdict === 'fail' ? 1 : 3
}

const mark = ({ verdict, override }: GateAnswer): string => (override === null ? verdict : `${verdict}, overridden`)

function printGate(answer: GateAnswer): string {
  const { repository, commit, build, contract_version, enforced, reasons, missing, override, base } = answer
  const of = `${repository} ${build === undefined ? '' : `${build} `}at ${commit.slice(0, 12)}`
  const contract = contract_version === undefined ? 'none' : `version ${contract_version}${enforced ? '' : ', observes only'}`
  const rows = answer.checks.map((one) => [
    `  ${one.met ? 'met  ' : 'below'}`,
    one.limit === 'lines' ? 'lines' : 'changed lines',
    `${one.test_type}${one.suite === undefined ? '' : ` ${one.suite}`}`,
    one.definition,
    one.found === 0 ? 'no lines' : `${printPercent(one.executed, one.found)} (${one.executed} of ${one.found})`,
    `wanted ${one.wanted} %`,
  ])
  const told = [
    `contract  ${contract}`,
    ...(base === undefined ? [] : [`base      ${base.slice(0, 12)}`]),
    `as of     ${answer.as_of}`,
    `report    ${answer.report}`,
    `gate      ${answer.id}`,
    ...(override === null ? [] : [`override  ${override.id}: ${override.reason} (${override.ticket})`]),
  ]
  return [
    `${oneLine(`${mark(answer)}: ${of}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`)}\n`,
    printTable(rows),
    ...missing.map((one) => `  ${oneLine(`missing: ${one.test_type} ${one.suite}${one.owner === undefined ? '' : ` (${one.owner})`}: ${one.reason}`)}\n`),
    ...told.map((line) => `  ${oneLine(line)}\n`),
  ].join('')
} // oxfmt-ignore

export async function override(
  id: string,
  { reason, ticket }: { reason: string; ticket: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const path = `/v1/gates/${encodeURIComponent(id)}/override`
  const answer = await ask(overrideShape, { method: 'POST', path, body: { reason, ticket }, signal })
  terminal.print(answer, () => oneLine(`${answer.overrides} (${answer.overridden}) is overridden: ${answer.id}`))
  return 0
}
