import { checkReport, held, setupReport } from '../api/operations.ts'
import { connect } from './connect.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline destinations setup`, `check`, `pause`, `resume`: what an operator tells a service about a SIEM. */

async function tell(name: string, what: string, body: object, signal: AbortSignal, idleMs?: number): Promise<unknown> {
  const client = await connect()
  try {
    const { bytes } = await client.send({
      method: 'POST',
      path: `/v1/destinations/${encodeURIComponent(name)}/${what}`,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
      signal,
      ...(idleMs === undefined ? {} : { idleMs }),
    })
    return JSON.parse(bytes.toString('utf8'))
  } finally {
    client.close()
  }
}

export async function hold(
  name: string,
  options: { pause: boolean; reason: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const answer = held.parse(await tell(name, options.pause ? 'pause' : 'resume', { reason: options.reason }, signal))
  terminal.print(answer, () => {
    const state = answer.state === 'paused' ? 'paused: nothing more is sent to it' : 'not paused'
    return `${name} is ${state}${answer.changed ? '' : ' (as before)'}\n`
  })
  return 0
}

/** Prints what is installed as requests that any HTTP client could send. */
export async function setUp(
  name: string,
  options: { dryRun?: boolean },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const report = setupReport.parse(await tell(name, 'setup', { dry_run: options.dryRun === true }, signal))
  terminal.print(report, () => {
    const requests = report.requests.map(({ method, path, body }) =>
      report.applied ? `installed ${path}\n` : `${method} ${path}\n${JSON.stringify(body, null, 2)}\n\n`,
    )
    const notes = report.notes.map((note) => `${oneLine(note)}\n`)
    return [`${report.flavour} ${report.version}\n`, ...requests, ...notes].join('')
  })
  return 0
}

/** One line a step; 1 when one failed. */
export async function check(
  name: string,
  options: { wait?: number },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const waitS = options.wait ?? 60
  // Four indexes at most, each waited for by itself.
  const idleMs = (waitS * 4 + 120) * 1_000
  const report = checkReport.parse(await tell(name, 'check', { wait_s: waitS }, signal, idleMs))
  terminal.print(report, () => {
    const rows = report.steps.map(({ step, result, detail }) => [result, step, oneLine(detail)])
    return `${printTable([['result', 'step', 'found'], ...rows])}${report.ok ? '' : `\n${name} is not ready\n`}`
  })
  return report.ok ? 0 : 1
}
