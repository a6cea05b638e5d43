import { tilePath, tileWidth, tileWidthAt, tilesBetween, type Tile } from '../log/tiles.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { Client } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { createAudit } from '../verify/audit.ts'
import { originsOf } from './trusted-keys.ts'
import type { Check } from './verify.ts'

/**
 * A running service is verified as anybody could verify it: checkpoint, tiles and entries are read as C2SP tlog-tiles and every record is
 * hashed again. A checkpoint remembered from before must be met on the way: that is consistency, shown with the leaves themselves.
 */

/** Bundles on their way at a time: enough to hide the round trip, about 10 MB. */
const ahead = 8

export interface LedgerVerification {
  check: Check
  /** The signed note that was met; undefined when it was not, or nothing is published. */
  note: string | undefined
}

/** `remembered` are notes of this ledger that were verified before. */
export async function verifyLedger(
  client: Client,
  ledger: LedgerName,
  keys: readonly TrustedKey[],
  remembered: (origin: string) => string | undefined,
  { onProgress, signal }: { onProgress: (done: number, of: number) => void; signal: AbortSignal },
): Promise<LedgerVerification> {
  const get = (path: string): Promise<Buffer> =>
    client.send({ method: 'GET', path: `/log/${ledger}/${path}`, signal }).then(({ bytes }) => bytes)
  const origins = originsOf(keys, ledger)
  const known = origins.map(remembered).find((note) => note !== undefined)
  const note = await get('checkpoint').then(
    (bytes) => bytes.toString('utf8'),
    (error: unknown) => {
      if (error instanceof Problem && error.code === 'not_found') return undefined
      throw error
    },
  )
  if (note === undefined) {
    const check: Check =
      known === undefined
        ? { check: ledger, verdict: 'ok', detail: 'nothing is published yet' }
        : {
            check: ledger,
            verdict: 'differs',
            seq: 0,
            detail: `rollback: expected ${sizeOf(known)} records as remembered, found none`,
          }
    return { check, note: undefined }
  }
  const origin = origins.find((name) => note.startsWith(`${name}\n`)) ?? origins[0]
  if (origin === undefined)
    throw new Problem(
      'request_invalid',
      `none of the keys is for ledger ${ledger}: its key is named <public host>/${ledger}`,
    )
  const size = sizeOf(note)
  const audit = createAudit({ ledger, origin, vkeys: keys })
  await audit.expectCheckpoint(note)
  const trusted = remembered(origin)
  if (trusted !== undefined) {
    if (sizeOf(trusted) > size)
      return {
        check: {
          check: ledger,
          verdict: 'differs',
          seq: size,
          detail: `rollback: expected at least ${sizeOf(trusted)} records as remembered, found ${size}`,
        },
        note: undefined,
      }
    await audit.expectCheckpoint(trusted)
  }
  await readLog(size, audit, get, onProgress)
  const result = audit.finish()
  const [first] = result.differences
  const metAll = result.signed >= size
  const verdict = first === undefined && metAll ? 'ok' : 'differs'
  const since = trusted === undefined ? '' : `, and extends the ${sizeOf(trusted)} remembered`
  const good = `${result.checked} records, every one hashed again, lead to the root signed by ${origin}${since}`
  const bad =
    first === undefined
      ? `only ${result.signed} of ${size} records are covered by a signature`
      : `first bad seq ${first.seq}: ${first.kind}: expected ${first.expected}, found ${first.found}${result.differenceCount > 1 ? ` (and ${result.differenceCount - 1} more)` : ''}`
  const check: Check = {
    check: ledger,
    verdict,
    detail: verdict === 'ok' ? good : bad,
    size,
    ...(first === undefined ? {} : { seq: first.seq, differences: result.differences.slice(0, 100) }),
  }
  return { check, note: verdict === 'ok' ? note : undefined }
}

async function readLog(
  size: number,
  audit: ReturnType<typeof createAudit>,
  get: (path: string) => Promise<Buffer>,
  onProgress: (done: number, of: number) => void,
): Promise<void> {
  for (const tile of tilesBetween(0, size)) {
    if (tile.level > 0) audit.expectTile(tile, await get(tilePath(tile.level, tile.index, tile.width)))
  }
  const bundles = Math.ceil(size / tileWidth)
  const fetchBundle = (index: number): Promise<[Tile, Buffer, Buffer]> => {
    const width = tileWidthAt('entries', index, size)
    const both = Promise.all([get(tilePath(0, index, width)), get(tilePath('entries', index, width))])
    return both.then(([hashes, entries]) => [{ level: 'entries', index, width }, hashes, entries])
  }
  const coming: ReturnType<typeof fetchBundle>[] = []
  for (let index = 0; index < bundles; index++) {
    while (coming.length < ahead && index + coming.length < bundles) {
      const next = fetchBundle(index + coming.length)
      next.catch(() => undefined) // awaited below; until then a failure is not unhandled
      coming.push(next)
    }
    const [tile, hashes, entries] = (await coming.shift()) ?? (await fetchBundle(index))
    audit.expectTile({ ...tile, level: 0 }, hashes)
    audit.addBundle({ ...tile, level: 'entries' }, entries)
    onProgress(audit.next(), size)
  }
}

/** Of a note not yet verified; throws `integrity` for what is no checkpoint at all. */
function sizeOf(note: string): number {
  try {
    return parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1)).size
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause
    throw new Problem('integrity', `not a checkpoint: ${cause.message}`, { cause })
  }
}
