import { decodeHash, encodeBase64 } from '../log/base64.ts'
import { type OpenedCheckpoint, openCheckpoint } from '../log/checkpoint.ts'
import { parseDecimal } from '../log/log-error.ts'
import { verifyConsistency } from '../log/merkle-proof.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { parseTime } from '../record/record.ts'
import { type PackLedger, type PackScope, kindOf, packNames } from './pack-format.ts'
import { CannotCheck, type PackCheck, PackFault, type PackSource, attempt, readBytes, readText } from './pack-source.ts'
import { verifyReceiptProof } from './receipt.ts'

/** Whom a reader believes; none of it comes from the pack. */
export interface PackTrust {
  /** Keys of logs (type 1, named as their origin), of the org's statements, and of witnesses (type 4). */
  keys: readonly TrustedKey[]
  /** Whether cosignatures by these keys are enough; undefined without a policy. */
  isQuorum?: ((cosigners: readonly VerifierKey[]) => boolean) | undefined
  /** An RFC 3161 token over these bytes: what it says, or an Error. Undefined: time-stamps are not looked at. */
  verifyTimestamp?: ((token: Uint8Array, data: Uint8Array) => Promise<string>) | undefined
}

/** Signatures, quorum, consistency and time-stamps of one ledger. */
export async function checkLog(source: PackSource, of: PackLedger, trust: PackTrust): Promise<PackCheck[]> {
  const { ledger, origin, size, root } = of
  const name = (file: string): string => packNames.log(ledger, file)
  const open = async (file: string, isShown = true): Promise<OpenedCheckpoint> => {
    if (!trust.keys.some((key) => key.type === 1 && key.name === origin))
      throw new CannotCheck(`no key is trusted for ${origin}`)
    const checkpoint = await openCheckpoint(await readText(source, name(file)), origin, trust.keys)
    if (isShown && trust.isQuorum?.(checkpoint.cosignatures.map(({ key }) => key)) === false)
      throw new Error(`${file} is cosigned by ${checkpoint.cosignatures.length} known witnesses, which is no quorum`)
    return checkpoint
  }
  const checks = [
    await attempt(`${kindOf(ledger)} checkpoint`, async () => {
      const found = await open('checkpoint')
      if (found.size !== size || encodeBase64(found.root) !== root)
        throw new Error(`expected size ${size} and root ${root} as scope.json says, found ${found.size} and ${encodeBase64(found.root)}`) // oxfmt-ignore
      const times = found.cosignatures.flatMap(({ time }) => time ?? [])
      const seen =
        times.length === 0 ? '' : `, seen by a witness at ${new Date(Math.min(...times) * 1000).toISOString()}`
      return `${size} records, signed by ${origin}, ${found.cosignatures.length} cosignatures${trust.isQuorum === undefined ? ' (no policy: none asked for)' : ''}${seen}`
    }),
  ]
  if (source.names.includes(name('checkpoint.end')))
    checks.push(await attempt(`${kindOf(ledger)} consistency`, () => checkConsistency(source, of, open)))
  for (const file of source.names.filter((one) => one.startsWith(name('stamp-')) && one.endsWith('.tst')))
    checks.push(await attempt(`${kindOf(ledger)} time-stamp`, () => checkStamp(source, of, file, open, trust)))
  return checks
}

/** The token is over a note of this log, and what is proved here continues that. */
async function checkStamp(
  source: PackSource,
  { ledger, size, end }: PackLedger,
  file: string,
  open: (file: string, isShown?: boolean) => Promise<OpenedCheckpoint>,
  trust: PackTrust,
): Promise<string> {
  const stem = file.slice(packNames.log(ledger, '').length, -'.tst'.length)
  if (trust.verifyTimestamp === undefined) throw new CannotCheck(`${file}: no authority is trusted: give --ca`)
  const note = await readBytes(source, packNames.log(ledger, `${stem}.note`))
  const [stamped, newest] = [await open(`${stem}.note`, false), await open('checkpoint')]
  const { old, proof } = parseConsistency(await readText(source, packNames.log(ledger, `${stem}.consistency`)))
  const claim = { from: stamped.size, to: newest.size, fromRoot: stamped.root, toRoot: newest.root, proof }
  if (old !== stamped.size || newest.size !== size || !verifyConsistency(claim))
    throw new Error(`${size} records do not continue the ${stamped.size} that were stamped`)
  const said = await trust.verifyTimestamp(await readBytes(source, file), note)
  const all = stamped.size >= end ? 'all of the period' : `the period up to record ${stamped.size - 1}`
  return `${all} was there at ${said}`
}

async function checkConsistency(
  source: PackSource,
  { ledger, size, start, end }: PackLedger,
  open: (file: string) => Promise<OpenedCheckpoint>,
): Promise<string> {
  const name = (file: string): string => packNames.log(ledger, file)
  const newest = await open('checkpoint')
  const last = await open('checkpoint.end')
  const steps: [OpenedCheckpoint, OpenedCheckpoint, string][] = [[last, newest, 'consistency.end-newest']]
  if (last.size < end) throw new Error(`checkpoint.end has ${last.size} records, the period ends at ${end}`)
  if (start > 0) {
    const first = await open('checkpoint.start')
    if (first.size < start) throw new Error(`checkpoint.start has ${first.size} records, the period begins at ${start}`)
    steps.unshift([first, last, 'consistency.start-end'])
  }
  for (const [from, to, file] of steps) {
    const { old, proof } = parseConsistency(await readText(source, name(file)))
    const claim = { from: from.size, to: to.size, fromRoot: from.root, toRoot: to.root, proof }
    if (old !== from.size || !verifyConsistency(claim)) throw new Error(`${file}: ${to.size} records do not continue ${from.size}`) // oxfmt-ignore
  }
  return `${steps.map(([from]) => from.size).join(', ')} and ${size} records are one history`
}

function parseConsistency(text: string): { old: number; proof: Uint8Array[] } {
  const [first = '', ...lines] = text.split('\n')
  if (!first.startsWith('old ') || lines.pop() !== '') throw new Error('this is not a consistency proof')
  const proof = lines.map((line) => {
    const hash = decodeHash(line)
    if (hash === undefined) throw new Error('a consistency proof holds hashes in base64')
    return hash
  })
  return { old: parseDecimal(first.slice(4), 'the old size'), proof }
}

/** A record with its proof under `name`, which must lead to the checkpoint of the ledger that scope.json names. */
export async function openProven(
  source: PackSource,
  name: string,
  { ledger, origin, size }: PackLedger,
  trust: PackTrust,
): Promise<{ bytes: Uint8Array; seq: number; recordedAt: number; id: string; fields: Record<string, unknown> }> {
  const bytes = await readBytes(source, `${name}.json`)
  const proof = await readText(source, `${name}.tlog-proof`)
  if (!trust.keys.some((key) => key.type === 1 && key.name === origin))
    throw new CannotCheck(`no key is trusted for ${origin}`)
  const { record, checkpoint, differences } = await verifyReceiptProof(bytes, proof, { ledger, origin, vkeys: trust.keys }) // oxfmt-ignore
  const [first] = differences
  if (first !== undefined)
    throw new PackFault(`${name}.json: ${first.kind}: expected ${first.expected}, found ${first.found}`, first.seq)
  if (record === undefined || checkpoint === undefined) throw new Error(`${name}.json is not proved`)
  if (checkpoint.size !== size) throw new PackFault(`${name}.tlog-proof leads to ${checkpoint.size} records, not ${size}`, record.seq) // oxfmt-ignore
  return { bytes, seq: record.seq, recordedAt: record.recordedAt, id: record.id, fields: record.fields }
}

/** The records around the period show that it was not cut short. */
export async function checkPeriod(
  source: PackSource,
  of: PackLedger,
  { question }: PackScope,
  trust: PackTrust,
): Promise<PackCheck> {
  return attempt(`${kindOf(of.ledger)} period`, async () => {
    const { ledger, start, end, size } = of
    const [from, to] = [parseTime(question.from), parseTime(question.to)]
    if (from === undefined || to === undefined || from >= to) throw new Error('scope.json names no period')
    if (start > end || end > size) throw new Error(`${start}, ${end} and ${size} are not in order`)
    const isBefore = source.names.includes(`${packNames.log(ledger, 'before')}.json`)
    if (start > 0 && isBefore) {
      const before = await openProven(source, packNames.log(ledger, 'before'), of, trust)
      if (before.seq !== start - 1) throw new PackFault(`expected record ${start - 1} before the period, found ${before.seq}`, before.seq) // oxfmt-ignore
      if (before.recordedAt >= from) throw new PackFault(`record ${before.seq} belongs to the period and is not in it`, before.seq) // oxfmt-ignore
    }
    if (end < size) {
      const after = await openProven(source, packNames.log(ledger, 'after'), of, trust)
      if (after.seq !== end)
        throw new PackFault(`expected record ${end} after the period, found ${after.seq}`, after.seq)
      if (after.recordedAt < to) throw new PackFault(`record ${after.seq} belongs to the period and is not in it`, after.seq) // oxfmt-ignore
    }
    if (start > 0 && !isBefore)
      throw new CannotCheck(`record ${start - 1}, before the period, is not in the pack: its retention had passed, says the service; that the period begins no later is not shown`) // oxfmt-ignore
    return `records ${start} up to ${end} of ${size}; those around them are outside of the period`
  })
}
