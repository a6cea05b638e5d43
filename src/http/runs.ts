import type { Admission, Admitted } from '../admission/admission.ts'
import { declareRun, pushRun, putInventory, putLineMaps, putPart, sealRun } from '../api/run-routes.ts'
import type { Declaration, PartQuery, PushQuery, SealRequest, TestTotals } from '../api/runs.ts'
import { decodeBody } from './body.ts'
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
    return answer(await admission.addInventory(who, params.run, decoded))
  })

  mount(putLineMaps, async ({ who, params, query, body, headers }) => {
    const decoded = decodeBody(body, headers['content-encoding'], limits.line_map_bytes)
    return answer(await admission.addLineMaps(who, params.run, query, decoded))
  })

  mount(putPart, async (call) => answer(await admission.addPart(call.who, call.params.run, toPart(call.query, call))))

  mount(sealRun, async ({ who, params, body }) => answer(await admission.close(who, params.run, body)))

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

function answer({ created, answer: body }: Admitted<unknown>): Reply {
  return { status: created ? 201 : 200, body }
}

/** The caller's trace goes on record with the run, whether it stands in the body or in the header. */
function withTrace(declaration: Declaration, traceparent: unknown): Declaration {
  if (declaration.traceparent !== undefined || typeof traceparent !== 'string') return declaration
  return /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)
    ? { ...declaration, traceparent }
    : declaration
}

function toPart(query: PartQuery, { headers, body }: Pick<Call<typeof putPart>, 'headers' | 'body'>) {
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
    contentEncoding: headers['content-encoding'],
    contentDigest: typeof contentDigest === 'string' ? contentDigest : undefined,
    contentLength: contentLength === undefined ? undefined : Number(contentLength), // checked by Node's parser
    body,
  }
}

function splitPush(query: PushQuery): { run: string; declaration: Declaration; seal: SealRequest } {
  const {
    run,
    name: _name,
    format: _format,
    strip: _strip,
    root: _root,
    section: _section,
    outcome,
    tests,
    ...declaration
  } = query
  return { run, declaration, seal: { outcome, tests: tests === undefined ? null : toTotals(tests) } }
}

/** `total,passed,failed,skipped`; the shape was checked. */
function toTotals(text: string): TestTotals {
  const [total = 0, passed = 0, failed = 0, skipped = 0] = text.split(',').map(Number)
  return { total, passed, failed, skipped }
}
