/**
 * Everything that can be refused, as one closed table: code -> HTTP status, title, exit code of the command line. A code never
 * changes its meaning. Exit codes: 1 no, 2 usage, 3 incomplete, 4 unavailable and safe to repeat.
 */
export const problems = {
  request_invalid: { status: 400, exit: 2, title: 'The request is not of the form this route takes' },
  start_required: { status: 400, exit: 2, title: 'A feed needs a start: cursor, after or since' },
  cursor_invalid: { status: 400, exit: 2, title: 'The cursor was not issued by this service for these filters' },
  digest_mismatch: { status: 400, exit: 1, title: 'The bytes do not have the digest that was announced' },
  encoding_invalid: { status: 400, exit: 1, title: 'The compressed body is broken or ends early' },
  body_incomplete: { status: 400, exit: 4, title: 'The connection ended before the body did' },
  unauthenticated: { status: 401, exit: 2, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, exit: 1, title: 'This credential may not do that' },
  identity_mismatch: { status: 403, exit: 1, title: 'The identity is of another run, commit or stage' },
  ref_not_tracked: { status: 403, exit: 1, title: 'A contract is registered from a branch that it tracks' },
  not_found: { status: 404, exit: 1, title: 'There is nothing here under that name' },
  run_unknown: { status: 404, exit: 1, title: 'The run was never declared' },
  method_not_allowed: { status: 405, exit: 2, title: 'This route does not take that method' },
  request_timeout: { status: 408, exit: 4, title: 'The request took too long to arrive' },
  run_conflict: { status: 409, exit: 1, title: 'The run was declared before with other content' },
  part_conflict: { status: 409, exit: 1, title: 'The part was recorded before with other content' },
  seal_conflict: { status: 409, exit: 1, title: 'The run was ended before with other content' },
  contract_conflict: { status: 409, exit: 1, title: 'Another contract was registered meanwhile' },
  deployment_conflict: { status: 409, exit: 1, title: 'The deployment was recorded before with other content' },
  key_conflict: { status: 409, exit: 1, title: 'The keys do not stand so that this step could be taken' },
  run_sealed: { status: 409, exit: 1, title: 'The run has ended and takes no more parts' },
  ledger_closed: { status: 409, exit: 1, title: 'The run belongs to a ledger that was closed with a loss' },
  part_open: { status: 409, exit: 4, title: 'A part of the run is still being recorded' },
  inventory_missing: { status: 409, exit: 1, title: 'The inventory of a commit is needed first' },
  destination_not_running: { status: 409, exit: 1, title: 'The destination is paused, blocked or in a drill' },
  in_use: { status: 409, exit: 4, title: 'Another process is using this' },
  second_person: { status: 409, exit: 1, title: 'Somebody else has to confirm that' },
  cursor_expired: { status: 410, exit: 1, title: 'The feed no longer reaches back to that position' },
  expired: { status: 410, exit: 1, title: 'It was deleted when its retention had passed' },
  use_parts: { status: 413, exit: 2, title: 'Too large for one push: declare the run and send parts' },
  body_too_large: { status: 413, exit: 1, title: 'The body is over the limit' },
  quota_exceeded: { status: 413, exit: 1, title: 'These bytes are over a quota' },
  expansion_limit: { status: 413, exit: 1, title: 'The body expands beyond the limit' },
  url_too_long: { status: 414, exit: 2, title: 'Path and query are over the limit' },
  media_type_unsupported: { status: 415, exit: 2, title: 'This content type or encoding is not taken' },
  test_type_mismatch: { status: 422, exit: 2, title: 'The run id and the test type disagree' },
  attempt_mismatch: {
    status: 422,
    exit: 1,
    title: 'The earlier attempt is of another repository, commit, suite or test type',
  },
  report_empty: { status: 422, exit: 1, title: 'The report holds no coverage' },
  report_unrecognized: { status: 422, exit: 1, title: 'The body is no coverage report that is known here' },
  report_ambiguous: { status: 422, exit: 2, title: 'The report can be read in several ways: name one' },
  report_invalid: { status: 422, exit: 1, title: 'The report breaks the rules of its format' },
  report_contradictory: {
    status: 422,
    exit: 1,
    title: 'The report joins coverage of different versions of a source',
  },
  no_lines: { status: 422, exit: 1, title: 'The report carries no line data' },
  duplicate_key: { status: 422, exit: 1, title: 'The report has a member twice' },
  path_invalid: { status: 422, exit: 1, title: 'A path leaves the repository or cannot exist' },
  too_many_lines: { status: 422, exit: 1, title: 'A file has more lines than are recorded' },
  too_many_files: { status: 422, exit: 1, title: 'The report has more files than are recorded' },
  too_many_parts: { status: 422, exit: 1, title: 'The run has more parts than are recorded' },
  contract_invalid: { status: 422, exit: 1, title: 'The contract breaks the rules of its form' },
  record_too_large: { status: 422, exit: 1, title: 'A name or value is longer than a record can hold' },
  headers_too_large: { status: 431, exit: 2, title: 'The request line and headers are over the limit' },
  rate_limited: { status: 429, exit: 4, title: 'Too many requests' },
  internal: { status: 500, exit: 4, title: 'Something broke here; it was logged' },
  integrity: { status: 500, exit: 1, title: 'Stored bytes do not match the signed log' },
  destination_refused: { status: 502, exit: 1, title: 'The destination refuses that' },
  storage_full: { status: 507, exit: 4, title: 'The storage is full; nothing was kept' },
  storage_refused: { status: 503, exit: 4, title: 'The artifact storage refuses this service; nothing was kept' },
  overloaded: { status: 503, exit: 4, title: 'Too much is waiting; nothing was recorded' },
  history_behind: { status: 503, exit: 4, title: 'The history has not followed the ledger that far yet' },
  recording_stopped: { status: 503, exit: 4, title: 'Recording is stopped; reading goes on' },
  clock_step: { status: 503, exit: 4, title: 'The clocks disagree; recording waits' },
  signer_not_current: { status: 503, exit: 4, title: 'The signer does not know the newest head; recording is stopped' },
  rollback_detected: {
    status: 503,
    exit: 4,
    title: 'The database is older than what was signed; recording is stopped',
  },
  unavailable: { status: 503, exit: 4, title: 'The service cannot be reached or is not ready' },
} as const

export type ProblemCode = keyof typeof problems

/** What stops a request. `detail` is for a person and never holds a secret; `extra` are further members of the problem document. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly extra: Readonly<Record<string, unknown>>

  constructor(code: ProblemCode, detail: string, options: { cause?: unknown; extra?: Record<string, unknown> } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.extra = options.extra ?? {}
  }
}

/** RFC 9457 problem document. `type` is a stable URN: nothing has to be fetched to understand it. */
export function problemDocument(problem: Problem): Record<string, unknown> {
  const { status, title } = problems[problem.code]
  return {
    type: `urn:proofline:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problem.message,
    ...problem.extra,
  }
}
