import type { Principal } from '../access/principal.ts'
import type { Admission, Admitted } from '../admission/admission.ts'
import { declareRun, pushRun, putInventory, putLineMaps, putPart, sealRun } from '../api/run-routes.ts'
import type { PartQuery, PushQuery } from '../api/queries.ts'
import type { Declaration, SealRequest, Shard, TestTotals } from '../api/runs.ts'
import { parseTraceparent } from '../record/traceparent.ts'
import { asSigned, decodeBody } from './body.ts'
import type { Call, Mount, Reply } from './mount.ts'
import type { HttpLimits } from './settings.ts'

type BodyLimits = Pick<HttpLimits, 'inventory_bytes' | 'line_map_bytes'>

/** What CI sends. Everything is decided, and every refusal recorded, by admission; here requests become its calls. */
export function mountRuns(mount: Mount, admission: Admission, limits: BodyLimits): void {
  mount(declareRun, async ({ who, params, body, headers }) =>
    answer(await admission.declare(who, params.run, withTrace(body, headers['traceparent']))),
  )

  mount(putInventory, async ({ who, params, body, headers }) => {
    const decoded = decodeBody(body, headers['content-encoding'], limits.inventory_bytes)
    return answer(await admission.addInventory(who, params.run, asSigned(decoded, signedBody(who))))
  })

  mount(putLineMaps, async ({ who, params, query, body, headers }) => {
    const decoded = decodeBody(body, headers['content-encoding'], limits.line_map_bytes)
    return answer(await admission.addLineMaps(who, params.run, query, asSigned(decoded, signedBody(who))))
  })

  mount(putPart, async (call) => answer(await admission.addPart(call.who, call.params.run, toPart(call.query, call))))

  mount(sealRun, async ({ who, params, body }) => {
    const closed = await admission.close(who, params.run, body)
    return 'expected' in closed.answer ? { status: 202, body: closed.answer } : answer(closed)
  })

  mount(pushRun, async (call) => {
    const { run, declaration, seal } = splitPush(call.query)
    const push = {
      declaration: withTrace(declaration, call.headers['traceparent']),
      part: toPart(call.query, call),
      seal,
    }
    return answer(await admission.push(call.who, run, push))
  })
}

const signedBody = ({ bound }: Principal): string | undefined => bound?.request?.sha256

function answer({ created, answer: body }: Admitted<unknown>): Reply {
  return { status: created ? 201 : 200, body }
}

/** The caller's trace goes on record with the run, whether it stands in the body or in the header. */
function withTrace(declaration: Declaration, traceparent: unknown): Declaration {
  if (declaration.traceparent !== undefined || typeof traceparent !== 'string') return declaration
  const trace = parseTraceparent(traceparent)
  return trace === undefined ? declaration : { ...declaration, traceparent: trace }
}

function toPart(
  query: PartQuery | PushQuery,
  { who, headers, body }: Pick<Call<typeof putPart>, 'who' | 'headers' | 'body'>,
) {
  const { name, format, strip, root, section } = query
  const contentDigest = headers['content-digest']
  const contentLength = headers['content-length']
  return {
    name,
    format,
    contentType: headers['content-type'],
    strip,
    root,
    section,
    shard: toShard(query),
    contentEncoding: headers['content-encoding'],
    contentDigest: typeof contentDigest === 'string' ? contentDigest : undefined,
    sha256: signedBody(who),
    contentLength: contentLength === undefined ? undefined : Number(contentLength), // checked by Node's parser
    body,
  }
}

/** What the part says of its shard. A push that ends its run by itself has none: its seal says it all. */
function toShard(query: PartQuery | PushQuery): Shard | undefined {
  const { name, shard, shard_attempt: attempt, shard_parts, job, outcome, tests } = query
  const alone = 'run' in query && query.parts === undefined
  if (alone || [shard, attempt, shard_parts, job, outcome, tests].every((said) => said === undefined)) return undefined
  return {
    name: shard ?? name,
    ...(attempt === undefined ? {} : { attempt }),
    parts: shard_parts ?? 1,
    ...(job === undefined ? {} : { job }),
    outcome: outcome ?? 'completed',
    tests: tests === undefined ? null : toTotals(tests),
  }
}

function splitPush(query: PushQuery): { run: string; declaration: Declaration; seal: SealRequest } {
  const { run, name: _name, format: _format, section: _section, strip: _strip, root: _root, ...asserted } = query
  const { shard: _shard, shard_attempt: _attempt, shard_parts: _of, job: _job, parts, ...rest } = asserted
  const { outcome, tests, more, ...declared } = rest
  const declaration = { ...declared, ...more }
  const alone = { outcome, tests: tests === undefined ? null : toTotals(tests) }
  return { run, declaration, seal: parts === undefined ? alone : { parts } }
}

/** `total,passed,failed,skipped`; the shape was checked. */
function toTotals(text: string): TestTotals {
  const [total = 0, passed = 0, failed = 0, skipped = 0] = text.split(',').map(Number)
  return { total, passed, failed, skipped }
}
