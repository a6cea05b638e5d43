import type { Declaration } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import { callOf, type Client, type Query } from './client.ts'
import {
  openInventory,
  openPart,
  putOnce,
  retried,
  shapes,
  splitSeal,
  type Plan,
  type Uploaded,
  type UploadOptions,
} from './upload.ts'

/**
 * The whole run in one request, for a machine that may die at any moment: nothing is recorded, or all of it is. What it costs: one report
 * of a few MiB of records, and coverage records without the blobs of their files where nobody has sent the files of the commit before,
 * since those can follow only afterwards.
 */
export async function pushAtOnce(plan: Plan, client: Client, options: UploadOptions): Promise<Uploaded> {
  const [part, ...others] = plan.parts
  if (part === undefined || others.length > 0 || plan.seal === undefined)
    throw new Problem('request_invalid', '--atomic takes one report and ends the run: push several without it')
  const until = performance.now() + options.retryForMs
  const query = queryOf(plan, part.query, plan.seal)
  const { answer, status } = await retried(
    () => {
      const call = callOf('pushRun', plan.run, query)
      return putOnce(client, shapes.pushAnswer, {
        ...call,
        ...openPart(part, options.onProgress),
        signal: options.signal,
      })
    },
    until,
    options,
  )
  const [seal, waiting] = splitSeal(answer.seal)
  return {
    run: plan.run,
    repeated: status === 200,
    declaration: answer.run,
    inventory: answer.run.missing.inventory ? await sendInventory(plan, client, options) : undefined,
    lineMaps: [], // one request; the next push of the branch is asked for them
    parts: [answer.part],
    seal,
    waiting,
  }
}

/** For later runs of the commit. All that was promised is recorded already: what goes wrong here is no failure. */
async function sendInventory(plan: Plan, client: Client, { signal }: UploadOptions): Promise<Uploaded['inventory']> {
  const { inventory, run } = plan
  if (inventory === undefined) return undefined
  try {
    const request = { ...callOf('putInventory', run), ...openInventory(inventory), signal }
    return (await putOnce(client, shapes.inventoryAnswer, request)).answer
  } catch (error) {
    if (error instanceof Problem) return undefined
    throw error
  }
}

/** Bytes of JSON for what is no plain text; the rest of the request line needs room too. */
const maxMoreBytes = 6_000

function queryOf(plan: Plan, part: Plan['parts'][number]['query'], seal: NonNullable<Plan['seal']>): Query {
  const { parents, first_parents, ci, client, configuration, flags, traceparent, backfilled, late, ...texts } =
    plan.declaration
  const more: Partial<Declaration> = { parents, ci, client, configuration, flags, traceparent, backfilled, late }
  // Not asserted, and longest: as many as there is room for.
  const room = maxMoreBytes - JSON.stringify(more).length
  if (room < 0) throw new Problem('use_parts', 'the declaration is too long for one request: push without --atomic')
  const near = first_parents?.slice(0, Math.floor((room - 30) / 70))
  const { outcome = 'completed', tests, parts } = seal
  const totals =
    tests === null || tests === undefined
      ? {}
      : { tests: [tests.total, tests.passed, tests.failed, tests.skipped].join(',') }
  return {
    run: plan.run,
    ...texts,
    more: JSON.stringify({ ...more, ...(near === undefined || near.length === 0 ? {} : { first_parents: near }) }),
    ...(parts === undefined ? { outcome, ...totals } : { parts }),
    ...part,
  }
}
