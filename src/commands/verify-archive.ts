import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { verifyConsistency } from '../log/merkle-proof.ts'
import { equalHashes, hashLeaf } from '../log/merkle.ts'
import { openStatement } from '../log/statement.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, isLedgerName } from '../record/record.ts'
import { type Audit, createAudit } from '../verify/audit.ts'
import { type DayManifest, dayPayloadType, leavesFile, manifestDigest, manifestFile, parseManifest, recordsFile } from '../verify/day-manifest.ts' // oxfmt-ignore
import type { Check } from './verify.ts'
import { count } from './count.ts'

/**
 * A folder of day files is verified without a service: every manifest signed by a trusted statement key and following the one before it
 * without a gap, every record hashed and compared with its leaf, and the root of each day leading to a checkpoint signed by a trusted key
 * of the log. From a ledger's first day on, the leaves also have to lead to those roots; behind a gap (days deleted, or a part of a history)
 * the files are what the signed manifests name by their digests.
 */

const maxFrameBytes = 1_048_576

interface Day {
  day: string
  folder: string
}

/** Ledgers and days below `<root>/archive`, or below `root` itself. */
async function findDays(root: string): Promise<Map<LedgerName, Day[]>> {
  const top = (await names(join(root, 'archive'))).length > 0 ? join(root, 'archive') : root
  const found = new Map<LedgerName, Day[]>()
  for (const org of await names(top))
    for (const kind of await names(join(top, org)))
      for (const part of [
        '',
        ...(await names(join(top, org, kind))).filter((one) => one.length < 4).map((one) => `/${one}`),
      ]) {
        // A later generation lies in a folder of its own, beside the years of the first.
        const ledger = `${org}/${kind}${part}`
        if (!isLedgerName(ledger)) continue
        const days: Day[] = []
        for (const year of (await names(join(top, ledger))).filter((one) => one.length === 4))
          for (const month of await names(join(top, ledger, year)))
            for (const date of await names(join(top, ledger, year, month)))
              days.push({ day: `${year}-${month}-${date}`, folder: join(top, ledger, year, month, date) })
        if (days.length > 0) found.set(ledger, days)
      }
  return found
}

const names = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch((): string[] => [])).toSorted((a, b) => (a < b ? -1 : 1))

/** One line a ledger. Throws Problem not_found for a folder without day files. */
export async function verifyArchive(
  root: string,
  keys: readonly TrustedKey[],
  onProgress: (ledger: string, done: number, of: number) => void,
): Promise<Check[]> {
  const ledgers = await findDays(root)
  if (ledgers.size === 0) throw new Problem('not_found', `there are no day files in ${root}: archive/<org>/<ledger>/<yyyy>/<mm>/<dd>`) // oxfmt-ignore
  const checks: Check[] = []
  for (const [ledger, days] of ledgers)
    checks.push(await verifyDays(ledger, days, keys, (done) => onProgress(ledger, done, days.length)))
  return checks
}

async function verifyDays(
  ledger: LedgerName,
  days: readonly Day[],
  keys: readonly TrustedKey[],
  onProgress: (done: number) => void,
): Promise<Check> {
  const bad = (day: string, seq: number, detail: string): Check => ({ check: ledger, verdict: 'differs', seq, detail: `${day}: ${detail}` }) // oxfmt-ignore
  let before: { manifest: DayManifest; digest: string } | undefined
  let audit: Audit | undefined
  let [checked, rooted, gone] = [0, 0, 0]
  for (const [i, { day, folder }] of days.entries()) {
    const seq = before?.manifest.size ?? 0
    try {
      const { manifest, digest } = await openManifest(folder, keys)
      if (manifest.ledger !== ledger || manifest.day !== day)
        return bad(day, seq, `expected the manifest of ${ledger} ${day}, found that of ${manifest.ledger} ${manifest.day}`) // oxfmt-ignore
      // Days may be taken from the middle of a history: the first one is believed where it begins, by its signature.
      if (before !== undefined && (manifest.first !== before.manifest.size || manifest.previous !== before.digest))
        return bad(day, seq, `expected the day behind ${before.manifest.day}, which ends at ${before.manifest.size}, found one that begins at ${manifest.first}`) // oxfmt-ignore
      if (!(await leadsOn(manifest, before?.manifest, keys)))
        return bad(day, seq, 'the root of the day does not lead to its checkpoint, or not from the day before')
      if (manifest.first === 0) audit = createAudit({ ledger, origin: manifest.origin, vkeys: keys })
      const files = new Set(await names(folder))
      if (manifest.frames.length > 0 && !files.has(recordsFile) && !files.has(leavesFile)) {
        gone += manifest.size - manifest.first
        audit = undefined // without these leaves no later root can be computed
      } else {
        const fault = await readDay(folder, manifest, audit)
        if (fault !== undefined) return bad(day, fault.seq, fault.detail)
        checked += manifest.size - manifest.first
        if (audit !== undefined) rooted = manifest.size
      }
      before = { manifest, digest }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      return bad(day, seq, error.message)
    }
    onProgress(i + 1)
  }
  const [first] = audit?.finish().differences ?? []
  if (first !== undefined)
    return bad('the days together', first.seq, `${first.kind}: expected ${first.expected}, found ${first.found}`)
  const past =
    gone === 0
      ? ''
      : `; ${count(gone, 'record is gone', 'records are gone')}, their files deleted: their days' manifests stand for them`
  const detail = `${count(days.length, 'day')} to ${days.at(-1)?.day ?? ''}, ${count(checked, 'record')}, every one hashed again: as their signed manifests say${rooted > 0 ? `, and to seq ${rooted} by the root of the log` : ''}${past}` // oxfmt-ignore
  return { check: ledger, verdict: 'ok', detail, size: before?.manifest.size ?? 0 }
}

async function openManifest(folder: string, keys: readonly TrustedKey[]): Promise<{ manifest: DayManifest; digest: string }> {
  const { payload, payloadType } = await openStatement(await readFile(join(folder, manifestFile), 'utf8'), keys)
  if (payloadType !== dayPayloadType) throw new LogError('malformed', `a statement of type ${payloadType}`)
  return { manifest: parseManifest(payload), digest: manifestDigest(payload) }
} // oxfmt-ignore

/** From the day before to this one, and from this one to a signed checkpoint. */
async function leadsOn(manifest: DayManifest, before: DayManifest | undefined, keys: readonly TrustedKey[]): Promise<boolean> {
  const { first, size, root, consistency, checkpoint, origin } = manifest
  const signed = await openCheckpoint(checkpoint.note, origin, keys)
  const reaches = signed.size === size ? equalHashes(signed.root, root) : verifyConsistency({ from: size, to: signed.size, fromRoot: root, toRoot: signed.root, proof: checkpoint.consistency }) // oxfmt-ignore
  if (before === undefined || first === 0) return reaches
  const follows = first === size ? equalHashes(before.root, root) : verifyConsistency({ from: first, to: size, fromRoot: before.root, toRoot: root, proof: consistency }) // oxfmt-ignore
  return reaches && follows
} // oxfmt-ignore

/** The files as their signed manifest names them, then every record against its leaf. `audit` also demands the root, where it can. */
async function readDay(folder: string, manifest: DayManifest, audit: Audit | undefined): Promise<{ seq: number; detail: string } | undefined> {
  const { first, size, root, frames } = manifest
  for (const { name, sha256 } of manifest.files) {
    const found = await digestOf(join(folder, name))
    if (found !== sha256) return { seq: first, detail: `${name}: expected SHA-256 ${sha256}, found ${found}` }
  }
  audit?.expectHead(size, root)
  if (frames.length === 0) return undefined
  const leaves = await readFile(join(folder, leavesFile))
  audit?.expectLeafHashes(first, leaves)
  const file = await open(join(folder, recordsFile))
  try {
    let seq = first
    let offset = 0
    for (const { records, bytes } of frames) {
      const frame = Buffer.alloc(bytes)
      await file.read(frame, 0, bytes, offset)
      offset += bytes
      const raw = zstdDecompressSync(frame, { maxOutputLength: maxFrameBytes })
      let start = 0
      for (let i = 0; i < records; i++, seq++) {
        const end = raw.indexOf(10, start)
        const line = raw.subarray(start, end < 0 ? start : end)
        start = end + 1
        if (!equalHashes(hashLeaf(line), leaves.subarray((seq - first) * 32, (seq - first + 1) * 32)))
          return { seq, detail: `leaf-mismatch: record ${seq} does not hash to its leaf` }
        audit?.add(line, seq)
      }
    }
  } finally {
    await file.close()
  }
  return undefined
} // oxfmt-ignore

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}
