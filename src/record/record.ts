import { sha256Hex } from './sha256.ts'

/**
 * A record is one entry of a ledger: a header (id, seq, recorded_at) put in front of a payload. The payload is made, hashed and
 * compressed before there is a seq; the header is added when it is recorded and again by every reader, so both produce the same
 * bytes. The leaf of the log is SHA-256(0x00 || record bytes).
 */

export const testTypes = ['unit', 'integration'] as const
export type TestType = (typeof testTypes)[number]

export const ledgerKinds = ['unit', 'integration', 'changes', 'operations'] as const
export type LedgerKind = (typeof ledgerKinds)[number]

/**
 * `<org>/<ledger>`, for example `main/unit`. A ledger that was closed with a loss is followed by its next generation, a log of its own:
 * `main/unit/2`, then `main/unit/3`.
 */
export type LedgerName = `${string}/${LedgerKind}` | `${string}/${LedgerKind}/${number}`

export const recordKinds = [
  'run',
  'inventory',
  'part',
  'coverage',
  'linemap',
  'comparison',
  'seal',
  'abandonment',
  'rejection',
  'build',
  'contract',
  'gate',
  'deployment',
  'disposition',
  'report',
  'command',
  'access',
  'key',
  'configuration',
  'alert',
  'heartbeat',
  'reconciliation',
  'retention',
  'hold',
  'loss',
] as const
export type RecordKind = (typeof recordKinds)[number]

/** Microseconds since 1970-01-01T00:00:00Z; a safe integer until the year 2255. */
export type Micros = number

export interface Place {
  ledger: LedgerName
  seq: number
  recordedAt: Micros
}

/** Splunk extracts no JSON field past byte 5,000, so no record is longer than this (DESIGN.md section 3). */
export const maxRecordBytes = 4_900
/** What the header can add at most: a seq of 16 digits, the longest ledger name we allow (64), the fixed text. */
export const maxHeaderBytes = 220
export const maxPayloadBytes = maxRecordBytes - maxHeaderBytes

const orgPattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/
/** The first generation bears no number, so that every ledger has one name. */
const generationPattern = /^(?:[2-9]|[1-9][0-9]{1,2})$/

export function isLedgerName(text: string): text is LedgerName {
  const [org, kind, generation, ...rest] = text.split('/')
  return (
    rest.length === 0 &&
    org !== undefined &&
    orgPattern.test(org) &&
    (ledgerKinds as readonly string[]).includes(kind ?? '') &&
    (generation === undefined || generationPattern.test(generation))
  )
}

/** Throws on anything but `<org>/<unit|integration|changes|operations>`, from the second generation on with its number behind it. */
export function toLedgerName(text: string): LedgerName {
  if (!isLedgerName(text)) throw new Error(`not a ledger name: ${JSON.stringify(text)}`)
  return text
}

export function ledgerKindOf(ledger: LedgerName): LedgerKind {
  return ledger.split('/')[1] as LedgerKind // the type is the proof: LedgerName has a LedgerKind behind its first slash
}

export function orgOf(ledger: LedgerName): string {
  return ledger.slice(0, ledger.indexOf('/'))
}

/** 1 unless a loss was accepted. */
export function generationOf(ledger: LedgerName): number {
  return Number(ledger.split('/')[2] ?? 1)
}

/** What is recorded in once `ledger` is closed. */
export function nextGeneration(ledger: LedgerName): LedgerName {
  const [org = '', kind = ''] = ledger.split('/')
  return toLedgerName(`${org}/${kind}/${generationOf(ledger) + 1}`)
}

/** The name under which the ledger was opened first; also of what belongs to an org and outlives its ledgers. */
export function firstGeneration(ledger: LedgerName): LedgerName {
  return toLedgerName(ledger.split('/').slice(0, 2).join('/'))
}

/** Without its org: `unit`, `unit/2`. */
export function ledgerLabel(ledger: LedgerName): string {
  return ledger.slice(ledger.indexOf('/') + 1)
}

/** As it stands in record ids and names of files: `main.unit`, `main.unit.2`. */
export function ledgerStem(ledger: LedgerName): string {
  return ledger.replaceAll('/', '.')
}

const digits = (n: number, width: number): string => String(n).padStart(width, '0')

// Records of one append share the second: its text is kept, since making it costs more than the rest of a header.
let lastSecond = -1
let lastSecondText = ''

/** RFC 3339 UTC with six decimals: the only form in which a time stands in a record. */
export function printTime(at: Micros): string {
  const second = Math.floor(at / 1_000_000)
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, 20)
    lastSecond = second
  }
  return `${lastSecondText}${digits(at - second * 1_000_000, 6)}Z`
}

/** Reads exactly what `printTime` prints; undefined for anything else, also for days that do not exist. */
export function parseTime(text: string): Micros | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(text)) return undefined
  const ms = Date.parse(`${text.slice(0, 23)}Z`)
  if (!Number.isFinite(ms)) return undefined
  const at = ms * 1000 + Number(text.slice(23, 26))
  return printTime(at) === text ? at : undefined
}

/** `<org>.<ledger>-<seq>-<first 16 hex digits of SHA-256(payload)>`; of a later generation `<org>.<ledger>.<generation>-...`. */
export function recordId(ledger: LedgerName, seq: number, payloadHash: string): string {
  return `${ledgerStem(ledger)}-${seq}-${payloadHash.slice(0, 16)}`
}

export interface ParsedId {
  ledger: LedgerName
  seq: number
  hash: string
}

export function parseRecordId(id: string): ParsedId | undefined {
  const match = /^([a-z0-9-]+\.[a-z]+(?:\.\d{1,3})?)-(0|[1-9]\d{0,15})-([0-9a-f]{16})$/.exec(id)
  if (match === null) return undefined
  const ledger = match[1]?.replaceAll('.', '/') ?? ''
  const seq = Number(match[2])
  if (!isLedgerName(ledger) || !Number.isSafeInteger(seq) || match[3] === undefined) return undefined
  return { ledger, seq, hash: match[3] }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text that goes in front of a payload, instead of its opening brace. */
export function printHeader(place: Place, payloadHash: string): string {
  return `{"id":"${recordId(place.ledger, place.seq, payloadHash)}","seq":${place.seq},"recorded_at":"${printTime(place.recordedAt)}",`
}

/** Record bytes from payload bytes (which begin with `{` and hold at least one member). */
export function encodeRecord(payload: Uint8Array, place: Place): Uint8Array {
  const header = encoder.encode(printHeader(place, sha256Hex(payload)))
  const bytes = new Uint8Array(header.length + payload.length - 1)
  bytes.set(header)
  bytes.set(payload.subarray(1), header.length)
  return bytes
}

export interface OpenedRecord extends Place {
  id: string
  payload: Uint8Array
  /** The parsed payload together with the header, as in the record's JSON. */
  fields: Record<string, unknown>
}

/**
 * Takes record bytes apart and checks what can be checked without the log: one JSON object on one line, header first, id from seq
 * and payload hash, the ledger named in the payload. Throws an Error that says what differs.
 */
export function openRecord(bytes: Uint8Array): OpenedRecord {
  const text = decoder.decode(bytes)
  const match = /^\{"id":"([^"\\]+)","seq":(0|[1-9]\d{0,15}),"recorded_at":"([^"\\]+)",/.exec(text)
  if (match === null) throw new Error('record does not begin with id, seq and recorded_at')
  const [header, id, seqText, timeText] = match as unknown as [string, string, string, string] // the pattern has three groups
  const parsed = parseRecordId(id)
  const seq = Number(seqText)
  const recordedAt = parseTime(timeText)
  if (parsed === undefined || parsed.seq !== seq) throw new Error(`record id ${id} does not name seq ${seqText}`)
  if (recordedAt === undefined) throw new Error(`record ${id}: recorded_at ${timeText} is not a time`)
  const fields: unknown = JSON.parse(text)
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new Error(`record ${id} is not an object`)
  const payload = new Uint8Array(bytes.length - header.length + 1)
  payload[0] = 0x7b
  payload.set(bytes.subarray(header.length), 1) // the header is ASCII, so characters are bytes
  const hash = sha256Hex(payload).slice(0, 16)
  if (hash !== parsed.hash) throw new Error(`record ${id}: payload hashes to ${hash}`)
  const named = (fields as Record<string, unknown>)['ledger']
  if (named !== parsed.ledger) throw new Error(`record ${id}: payload names ledger ${String(named)}`)
  return { id, ledger: parsed.ledger, seq, recordedAt, payload, fields: fields as Record<string, unknown> }
}

/** First 32 bits of SHA-256(record bytes): the `check` that SIEMs sum up by block. */
export function checkOf(recordSha256Hex: string): number {
  return Number.parseInt(recordSha256Hex.slice(0, 8), 16)
}

/** Reconciliation compares blocks of this many consecutive records. */
export const blockSize = 65_536
