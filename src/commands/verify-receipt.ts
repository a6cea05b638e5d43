import { isDeepStrictEqual } from 'node:util'
import type { TrustedKey } from '../log/trusted-key.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { parseProof } from '../log/proof.ts'
import { isLedgerName, type LedgerName, type RecordKind } from '../record/record.ts'
import { Problem } from '../record/problem.ts'
import { verifyReceiptProof } from '../verify/receipt.ts'
import type { ReceiptDocument } from './receipt.ts'
import { checkDocument, type Proven } from './receipt-document.ts'
import { originsOf } from './trusted-keys.ts'
import type { Check } from './verify.ts'
import { count } from './count.ts'

/** A receipt is verified with nothing but itself and a key: every record stands in the signed log, and says what the receipt says. */

/** What the service adds to a record's own members when it makes a receipt. */
const added = new Set(['schema', 'id', 'seq', 'part_record', 'checkpoint'])

/** Throws `request_invalid` for a file that is no receipt of `proofline push`. */
export async function verifyReceipt(text: string, keys: readonly TrustedKey[]): Promise<Check[]> {
  const document = parseDocument(text)
  if (!isLedgerName(document.ledger))
    throw new Problem('request_invalid', `the receipt names no ledger: ${document.ledger}`)
  const claims: Claim[] = document.parts.map((claim) => ({
    id: claim.part_record.id,
    what: `part ${claim.part}`,
    kind: 'part',
    claim,
  }))
  if (document.seal !== null) claims.push({ id: document.seal.id, what: 'seal', kind: 'seal', claim: document.seal })
  if (claims.length === 0) throw new Problem('request_invalid', 'the receipt holds neither a part nor a seal')
  const checks: Check[] = []
  const proven: Proven[] = []
  for (const one of claims) {
    const { id, what } = one
    const evidence = document.evidence.find((found) => found.id === id)
    if (evidence === undefined) {
      checks.push({
        check: what,
        verdict: 'incomplete',
        detail: `no proof of record ${id}: the token that pushed could not read it`,
      })
    } else {
      const { check, fields } = await verifyOne(one, evidence, document.ledger, keys)
      checks.push(check)
      if (fields !== undefined) proven.push({ id, fields })
    }
  }
  return [...checks, ...checkDocument(document, proven)]
}

interface Claim {
  id: string
  what: string
  kind: RecordKind
  claim: object
}

/** `fields` are those of the record, when it is proven to stand in the log. */
async function verifyOne(
  { what, claim, id, kind }: Claim,
  evidence: ReceiptDocument['evidence'][number],
  ledger: LedgerName,
  keys: readonly TrustedKey[],
): Promise<{ check: Check; fields?: Proven['fields'] }> {
  const differs = (detail: string, more: Partial<Check> = {}): { check: Check } => ({
    check: { check: what, verdict: 'differs', detail, ...more },
  })
  const bytes = new TextEncoder().encode(evidence.record)
  const origin = findOrigin(evidence.proof, originsOf(keys, ledger))
  if (origin === undefined)
    return differs(`no key given here is for a log of ledger ${ledger}: ${keys.map(({ name }) => name).join(', ')}`)
  const { record, checkpoint, differences } = await verifyReceiptProof(bytes, evidence.proof, {
    ledger,
    origin,
    vkeys: keys,
  })
  const [first] = differences
  if (first !== undefined)
    return differs(`${first.kind}: expected ${first.expected}, found ${first.found}`, { seq: first.seq, differences })
  if (record === undefined || checkpoint === undefined) return differs('the proof shows nothing')
  const { seq, fields } = record
  if (record.id !== id) return differs(`expected record ${id}, found ${record.id}`, { seq })
  if (fields['kind'] !== kind)
    return differs(`expected a record of kind ${kind}, found ${JSON.stringify(fields['kind'])}`, { seq })
  for (const [name, value] of Object.entries(claim)) {
    if (added.has(name) || isDeepStrictEqual(value, fields[name])) continue
    const detail = `the receipt and its record differ in ${name}: expected ${JSON.stringify(fields[name])}, found ${JSON.stringify(value)}`
    return differs(detail, { seq })
  }
  const detail = `${id}, in the log of ${count(checkpoint.size, 'record')} signed by ${origin}`
  return { check: { check: what, verdict: 'ok', detail, seq }, fields }
}

/** Of several trusted logs of this ledger the one that the proof names; else any, for which the signature then fails. */
function findOrigin(proof: string, origins: readonly string[]): string | undefined {
  try {
    const { origin } = parseCheckpoint(noteText(parseProof(proof).checkpoint))
    if (origins.includes(origin)) return origin
  } catch (error) {
    if (!(error instanceof LogError)) throw error // the form is reported by who verifies it
  }
  return origins[0]
}

const noteText = (note: string): string => note.slice(0, note.lastIndexOf('\n\n') + 1)

function parseDocument(text: string): ReceiptDocument {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new Problem('request_invalid', 'the receipt is not JSON', { cause })
  }
  const found = typeof document === 'object' && document !== null ? (document as Partial<ReceiptDocument>) : {} // every member used is checked below
  const { schema, ledger, run, parts, evidence, seal } = found
  const ids = Array.isArray(parts) && parts.every((part) => typeof part?.part_record?.id === 'string')
  const proofs =
    Array.isArray(evidence) &&
    evidence.every((one) => [one?.id, one?.record, one?.proof].every((part) => typeof part === 'string'))
  if (
    schema !== 'proofline.receipts.v1' ||
    typeof ledger !== 'string' ||
    typeof run !== 'string' ||
    !ids ||
    !proofs ||
    (seal !== null && typeof seal?.id !== 'string')
  ) {
    throw new Problem('request_invalid', 'this is no receipt of `proofline push --receipt` or `--json`')
  }
  return found as ReceiptDocument
}
