import type { Writable } from 'node:stream'
import { readEnvironment } from '../producer/ci.ts'
import { hideCredentials } from '../record/hide-credentials.ts'
import { problems, Problem, type ProblemCode } from '../record/problem.ts'

/** What people and machines see: answers on stdout, everything else on stderr. */

/** 0 done, 1 no, 2 usage, 3 incomplete, 4 unavailable and safe to repeat. */
export type ExitCode = 0 | 1 | 2 | 3 | 4

export interface Terminal {
  readonly json: boolean
  /** The answer: as text for people, or as one line of JSON with --json. */
  print(answer: unknown, text: () => string): void
  /** Bytes of an answer that is itself a document; waits while the reader is slow. */
  write(bytes: Uint8Array | string): Promise<void>
  /** A remark for people, on stderr. */
  say(line: string): void
  /** One line that replaces itself, on a terminal only; undefined takes it away. */
  progress(line: string | undefined): void
  /** Tells what went wrong in one line and what to do in another. */
  fail(error: unknown): ExitCode
}

interface Output extends Writable {
  isTTY?: boolean
  columns?: number
}

export interface TerminalSettings {
  stdout: Output
  stderr: Output
  json: boolean
  /** Shows where an error came from. */
  debug: boolean
}

const progressMs = 100

/** The terminal of this process. PROOFLINE_DEBUG shows where errors come from. */
export function openTerminal(json: boolean): Terminal {
  const debug = Boolean(readEnvironment().env['PROOFLINE_DEBUG'])
  return createTerminal({ stdout: process.stdout, stderr: process.stderr, json, debug })
}

export function createTerminal({ stdout, stderr, json, debug }: TerminalSettings): Terminal {
  let shown = false
  let shownAt = -Infinity
  const clear = (): void => {
    if (shown) stderr.write('\r\u001b[K')
    shown = false
  }
  return {
    json,
    print(answer, text) {
      clear()
      const shownText = json ? JSON.stringify(answer) : harmless(text())
      if (shownText !== '') stdout.write(shownText.endsWith('\n') ? shownText : `${shownText}\n`)
    },
    async write(bytes) {
      if (!stdout.write(bytes)) await new Promise((resolve) => stdout.once('drain', resolve))
    },
    say(line) {
      clear()
      stderr.write(`${harmless(line)}\n`)
    },
    progress(line) {
      if (stderr.isTTY !== true || (line !== undefined && performance.now() - shownAt < progressMs)) return
      clear()
      if (line === undefined) return
      shownAt = performance.now()
      shown = true
      stderr.write(harmless(line).slice(0, (stderr.columns ?? 80) - 1))
    },
    fail(error) {
      clear()
      const problem = toProblem(error)
      const { exit, status } = problems[problem.code]
      const advice = adviceFor(problem)
      const detail = hideCredentials(problem.message)
      if (json)
        stdout.write(
          `${JSON.stringify({ error: { code: problem.code, status, exit, detail, ...(advice === undefined ? {} : { advice }), ...partOf(problem) } })}\n`,
        )
      stderr.write(`proofline: ${harmless(oneLine(detail))} [${problem.code}]\n`)
      if (advice !== undefined) stderr.write(`  ${harmless(advice)}\n`)
      if (debug) stderr.write(`${hideCredentials(explain(error))}\n`)
      return exit
    },
  }
}

/** Columns as wide as their widest cell, two spaces apart. */
export function printTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** `[#####-----] 52 %`, as a line of its own. */
export function printBar(label: string, done: number, of: number): string {
  const part = of === 0 ? 1 : Math.min(1, done / of)
  const filled = Math.round(part * 20)
  return `${label} [${'#'.repeat(filled)}${'-'.repeat(20 - filled)}] ${Math.floor(part * 100)} % of ${printBytes(of)}`
}

export function printBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

/** What came over the network may hold anything, also what moves a cursor. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- that is what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim()
}

/** Lines without what moves a cursor, sets a colour or turns the direction of writing around. */
function harmless(lines: string): string {
  // oxlint-disable-next-line no-control-regex -- that is what is replaced
  return lines.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const detail = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ENOENT' && error instanceof Error && 'path' in error && typeof error.path === 'string')
    return new Problem('request_invalid', `there is no file ${error.path}`, { cause: error })
  if (['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EEXIST', 'EPERM'].includes(code))
    return new Problem('request_invalid', detail, { cause: error })
  return new Problem('internal', detail, { cause: error })
}

/** Conflicts over a run, a part or a seal are not here: the service says itself what to do, in its answer and on record. */
const advice: Partial<Record<ProblemCode, string>> = {
  unauthenticated: 'set PROOFLINE_TOKEN to a valid token; an operator makes one with: proofline token create',
  forbidden:
    'the credential lacks the scope or the repository: ask an operator for another one (proofline token create, or key producer create)',
  attempt_mismatch: 'name attempts of the same tests of the same commit with --earlier, or none',
  contract_conflict:
    'see what stands with: proofline contract show; when yours is to follow it all the same, say --parent with its version',
  ref_not_tracked: 'register it in the CI of the protected branch, or let an operator do it',
  run_sealed:
    'a run that several jobs push to ends with the last of them where each says --parts N (or --no-seal, and `proofline seal` at the end); a new attempt goes under another --run',
  start_required:
    'say --after -1 for everything from the start, --since TIME, or --cursor; with --cursor-file it goes on where it stopped',
  report_ambiguous: 'name the format with --format NAME',
  signer_not_current:
    'an operator has to put it right (docs/operating.md, "Recording is stopped"); afterwards repeating this command is safe',
  rollback_detected:
    'an operator has to put it right (docs/operating.md, "Recording is stopped"); afterwards repeating this command is safe',
  internal: 'set PROOFLINE_DEBUG=1 to see where it happened',
}

const adviceForSections = "name the section with --section NAME, or all of them together with --section '*'"

/** What Node says of a certificate whose authority it does not know. */
const untrusted = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

function adviceFor({ code, extra }: Problem): string | undefined {
  if (code === 'report_ambiguous' && Array.isArray(extra['sections']))
    return extra['sections'].length === 0 ? 'leave --section out' : adviceForSections
  if (code === 'unavailable' && extra['errno'] === 'ECONNREFUSED')
    return 'start the service with: npx proofline serve; or set PROOFLINE_URL. Repeating this command is safe'
  if (code === 'unavailable' && untrusted.has(String(extra['errno'])))
    return 'when its authority is one of your own, name its certificate: NODE_EXTRA_CA_CERTS=FILE (docs/transport.md)'
  if (code === 'in_use') return undefined // says itself what to do
  return advice[code] ?? (problems[code].exit === 4 ? 'nothing is lost: repeating this command is safe' : undefined)
}

/** Which of several files it is about, and what of their run is recorded (producer/part-error.ts). */
function partOf({ extra: { run, part, file, recorded } }: Problem): Record<string, unknown> {
  return recorded === undefined ? {} : { run, part, file, recorded }
}

/** Messages and stacks of an error and of what caused it. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.stack ?? error.message}${error.cause === undefined ? '' : `\ncaused by ${explain(error.cause)}`}`
}
