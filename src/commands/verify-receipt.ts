import { isDeepStrictEqual } from 'node:util'
import type { VerifierKey } from '../log/vkey.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { parseProof } from '../log/proof.ts'
import { isLedgerName, type LedgerName } from '../record/record.ts'
import { Problem } from '../record/problem.ts'
import { verifyReceiptProof } from '../verify/receipt.ts'
import type { ReceiptDocument } from './receipt.ts'
import { originsOf } from './trusted-keys.ts'
import type { Check } from './verify.ts'

/** A receipt is verified with nothing but itself and a key: every record stands in the signed log, and says what the receipt says. */

/** What the service adds to a record's own members when it makes a receipt. */
const added = new Set(['schema', 'id', 'seq', 'part_record', 'checkpoint'])

/** Throws `request_invalid` for a file that is no receipt of `proofline push`. */
export async function verifyReceipt(text: string, keys: readonly VerifierKey[]): Promise<Check[]> {
  const document = parseDocument(text)
  if (!isLedgerName(document.ledger))
    throw new Problem('request_invalid', `the receipt names no ledger: ${document.ledger}`)
  const claims: { id: string; what: string; claim: object }[] = document.parts.map((claim) => ({
    id: claim.part_record.id,
    what: `part ${claim.part}`,
    claim,
  }))
  if (document.seal !== null) claims.push({ id: document.seal.id, what: 'seal', claim: document.seal })
  if (claims.length === 0) throw new Problem('request_invalid', 'the receipt holds neither a part nor a seal')
  const checks: Check[] = []
  for (const { id, what, claim } of claims) {
    const evidence = document.evidence.find((one) => one.id === id)
    if (evidence === undefined) {
      checks.push({
        check: what,
        verdict: 'incomplete',
        detail: `no proof of record ${id}: the token that pushed could not read it`,
      })
    } else checks.push(await verifyOne(what, claim, id, evidence, document.ledger, keys))
  }
  return checks
}

async function verifyOne(
  what: string,
  claim: object,
  id: string,
  evidence: ReceiptDocument['evidence'][number],
  ledger: LedgerName,
  keys: readonly VerifierKey[],
): Promise<Check> {
  const bytes = new TextEncoder().encode(evidence.record)
  const origin = findOrigin(evidence.proof, originsOf(keys, ledger))
  if (origin === undefined)
    return {
      check: what,
      verdict: 'differs',
      detail: `no key given here is for a log of ledger ${ledger}: ${keys.map(({ name }) => name).join(', ')}`,
    }
  const { record, checkpoint, differences } = await verifyReceiptProof(bytes, evidence.proof, {
    ledger,
    origin,
    vkeys: keys,
  })
  const [first] = differences
  if (first !== undefined)
    return {
      check: what,
      verdict: 'differs',
      detail: `${first.kind}: expected ${first.expected}, found ${first.found}`,
      seq: first.seq,
      differences,
    }
  if (record === undefined || checkpoint === undefined)
    return { check: what, verdict: 'differs', detail: 'the proof shows nothing' }
  if (record.id !== id)
    return { check: what, verdict: 'differs', detail: `expected record ${id}, found ${record.id}`, seq: record.seq }
  for (const [name, value] of Object.entries(claim)) {
    if (added.has(name) || isDeepStrictEqual(value, record.fields[name])) continue
    const detail = `the receipt and its record differ in ${name}: expected ${JSON.stringify(record.fields[name])}, found ${JSON.stringify(value)}`
    return { check: what, verdict: 'differs', detail, seq: record.seq }
  }
  const detail = `${id}, in the log of ${checkpoint.size} records signed by ${origin}`
  return { check: what, verdict: 'ok', detail, seq: record.seq }
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
  const { schema, ledger, parts, evidence, seal } = found
  const ids = Array.isArray(parts) && parts.every((part) => typeof part?.part_record?.id === 'string')
  const proofs =
    Array.isArray(evidence) &&
    evidence.every((one) => [one?.id, one?.record, one?.proof].every((part) => typeof part === 'string'))
  if (
    schema !== 'proofline.receipts.v1' ||
    typeof ledger !== 'string' ||
    !ids ||
    !proofs ||
    (seal !== null && typeof seal?.id !== 'string')
  ) {
    throw new Problem('request_invalid', 'this is no receipt of `proofline push --receipt` or `--json`')
  }
  return found as ReceiptDocument
}
