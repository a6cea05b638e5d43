import { hash } from 'node:crypto'
import type { Identity } from '../access/principal.ts'
import type { Declaration } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, maxPayloadBytes } from '../record/record.ts'
import { type By, digestList, printList, printPayload } from '../record/run.ts'
import type { RunFields } from './submissions.ts'

/**
 * The `run` record of a declaration. A list of first parents that does not fit is named by its digest; `list` is what is to be kept then.
 * Throws Problem('record_too_large') when it does not fit without lists either.
 */
export function runPayload(
  ledger: LedgerName,
  run: string,
  body: Declaration,
  build_seq: number | undefined,
  by: By,
  verified?: Identity['verified'],
): { fields: RunFields; payload: Uint8Array; list: Uint8Array | undefined } {
  const configuration_digest =
    body.configuration === undefined && body.flags === undefined
      ? undefined
      : hash('sha256', JSON.stringify({ configuration: body.configuration ?? [], flags: body.flags ?? [] }), 'hex')
  const print = (parents: unknown, configuration: unknown): Uint8Array | undefined => {
    try {
      return printPayload('run', ledger, {
        run,
        repository: body.repository,
        repository_id: body.repository_id,
        commit: body.commit,
        head_commit: body.head_commit,
        ref: body.ref,
        change: body.change,
        build: body.build,
        build_seq,
        suite: body.suite,
        test_type: body.test_type,
        stage: body.stage,
        environment: body.environment,
        by,
        verified,
        url: body.url,
        parents: body.parents,
        committed_at: body.committed_at,
        first_parents: parents,
        contract: body.contract,
        configuration_digest,
        configuration,
        ci: body.ci,
        client: body.client,
        traceparent: body.traceparent,
        occurred_at: body.occurred_at,
        backfilled: body.backfilled,
        late: body.late,
      })
    } catch {
      return undefined
    }
  }
  const { repository, repository_id, commit, ref, build, suite, test_type, url } = body
  const { stage, occurred_at, backfilled, late } = body
  const fields: RunFields = {
    ledger,
    run,
    repository,
    repository_id,
    commit,
    ref,
    build,
    build_seq,
    suite,
    test_type,
    url,
    configuration_digest,
    stage,
    occurred_at,
    backfilled,
    late,
    by,
  }
  const configuration =
    body.configuration === undefined && body.flags === undefined
      ? undefined
      : { files: body.configuration, flags: body.flags }
  const { first_parents } = body
  const lists = { first_parents: first_parents ?? [], configuration: configuration ?? {} }
  // Whole when it fits; else the digest of everything left out, which the artifact store keeps, with as many first entries as there is room for.
  const whole = print(first_parents, configuration)
  if (whole !== undefined) return { fields, payload: whole, list: undefined }
  const list = printList([lists])
  for (let room = maxPayloadBytes; room >= 0; room -= 256) {
    const parents =
      first_parents === undefined
        ? undefined
        : { ...digestList(first_parents, room), sha256: hash('sha256', list, 'hex') }
    const short = print(parents, configuration === undefined ? undefined : { sha256: hash('sha256', list, 'hex') })
    if (short !== undefined) return { fields, payload: short, list }
  }
  throw new Problem(
    'record_too_large',
    `the declaration is longer than the ${maxPayloadBytes} bytes that its record can hold`,
  )
}
