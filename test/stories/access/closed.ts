import type { Database } from '../../../src/database/database.ts'
import { insertClosed } from '../../../src/ledger/closed-store.ts'
import { emptyEdge, rootOf } from '../../../src/log/merkle.ts'
import { createSettableClock } from '../../support/clock.ts'
import { type Answered, type Asked, ask, type RunningService } from '../../support/service.ts'
import { shared } from './orgs.ts'

/** What an org has behind it: a ledger that was closed with a loss before its service ever started, and days that are over. */

/** `integration` is recorded in its second generation, whose first record says that all of the first was lost. */
export async function beginSecondGeneration(owner: Database, org: string): Promise<void> {
  await insertClosed(owner, {
    ledger: `${org}/integration`,
    next: `${org}/integration/2`,
    size: 0,
    root: Buffer.from(rootOf(emptyEdge)),
    unsigned: 0,
    signedSize: 1,
    signedRoot: Buffer.alloc(32, 1),
    notes: [],
    reason: 'matrix',
    byWhom: 'console',
  })
}

/** The database clock, some days behind, with the months that these may lie in. */
export async function setBack(owner: Database, days: number): Promise<{ set(days: number): Promise<void> }> {
  const ago = (some: number): number => (Date.now() - some * 86_400_000) * 1_000
  const clock = await createSettableClock(owner, ago(days))
  await owner.query({ text: 'select proofline.ensure_partitions(current_date - $1::integer, 2)', values: [days] })
  return { set: (some) => clock.set(ago(some)) }
}

/** Writes the days that are over into the archive, as an operator asks for it; answers the first one of `unit`. */
export async function closeDays(service: RunningService): Promise<string> {
  const { repository, deployment, matrixCommit } = shared
  // A clock that was set looks like one that stepped: each ledger refuses once, then reads it again.
  const again = (path: string, asked: Asked = {}) => askAgain(service, path, asked)
  const declaration = { repository, test_type: 'unit', suite: 'api', commit: matrixCommit }
  await again('/v1/runs/local.later-1.api.unit', { method: 'PUT', body: declaration })
  const note = { repository, target: { kind: 'deployment', id: deployment }, note: 'days later' }
  await again('/v1/dispositions', { method: 'POST', body: note })
  await again('/v1/archive/run', { method: 'POST', body: { what: 'archive', reason: 'matrix' } })
  const { days } = (await again('/v1/feed/unit/days')).body as { days: { day: string }[] }
  const [first] = days
  if (first === undefined) throw new Error('no day was closed')
  return first.day
}

async function askAgain(service: RunningService, path: string, asked: Asked): Promise<Answered> {
  let answer = await ask(service, path, asked)
  for (let tries = 0; answer.status === 503 && tries < 20; tries++) answer = await ask(service, path, asked)
  if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`)
  return answer
}
