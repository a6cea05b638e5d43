import type { ReceiptDocument } from './receipt.ts'
import type { Check } from './verify.ts'
import { count } from './count.ts'

/** A record whose place in the log is proven. */
export interface Proven {
  id: string
  fields: Readonly<Record<string, unknown>>
}

/**
 * Pure: whether the document as a whole says what its records say: nothing was taken out of it, and all of it is of one run. One check
 * for each thing that is wrong, or a single one that says what of the run is shown.
 */
export function checkDocument(document: ReceiptDocument, proven: readonly Proven[]): Check[] {
  const wrong: Check[] = [
    ...[...foreign(document, proven), ...unclaimed(document)].map((detail) => differs(detail)),
    ...countParts(document, proven),
  ]
  if (wrong.length > 0 || proven.length === 0) return wrong
  const { run, seal, parts } = document
  const ended = seal === null ? 'not ended when this was written: nothing here tells how it ended' : 'ended by the seal'
  return [{ check: 'run', verdict: 'ok', detail: `${run}, ${count(parts.length, 'part')}, ${ended}` }]
}

const differs = (detail: string): Check => ({ check: 'run', verdict: 'differs', detail })

/** What names another run or ledger. A member that is missing is not compared by who verifies the single records. */
function foreign({ run, ledger, declaration, waiting }: ReceiptDocument, proven: readonly Proven[]): string[] {
  const said = [
    ...proven.map(({ id, fields }) => ({ what: `record ${id}`, run: fields['run'], ledger })),
    ...[declaration, waiting].flatMap((one, i) =>
      one === null || one === undefined ? [] : [{ what: ['the declaration', '`waiting`'][i] ?? '', ...one }],
    ),
  ]
  return said
    .filter((one) => one.run !== run || one.ledger !== ledger)
    .map((one) => `the receipt is of ${run} in ${ledger}, ${one.what} of ${String(one.run)} in ${one.ledger}`)
}

/** Whoever takes a part or the seal out of a receipt leaves its record behind. */
function unclaimed({ parts, seal, evidence }: ReceiptDocument): string[] {
  const claimed = new Set([...parts.map(({ part_record }) => part_record.id), seal?.id])
  return evidence
    .filter(({ id }) => !claimed.has(id))
    .map(({ id }) => `the receipt holds the proof of record ${id}, but says nothing of that record`)
}

/** A seal says how many parts count; a receipt holds those of one push, which are fewer where several pushed to the run. */
function countParts(document: ReceiptDocument, proven: readonly Proven[]): Check[] {
  const seal = proven.find(({ id }) => id === document.seal?.id)?.fields
  const sealed = seal?.['parts']
  if (seal === undefined || typeof sealed !== 'number') return []
  if (sealed > 0 && document.parts.length === 0)
    return [differs(`the seal counts ${count(sealed, 'part')}, the receipt holds none`)]
  const isOfSeveral = ['shards', 'earlier', 'earlier_digest', 'left_out_digest'].some(
    (name) => seal[name] !== undefined,
  )
  if (isOfSeveral) return []
  const left = Array.isArray(seal['left_out']) ? seal['left_out'] : []
  const held = new Set(document.parts.filter(({ part }) => !left.includes(part)).map(({ part }) => part)).size
  if (held === sealed) return []
  const detail = `the seal counts ${count(sealed, 'part')}, the receipt holds ${held}`
  return held > sealed
    ? [differs(detail)]
    : [
        {
          check: 'run',
          verdict: 'incomplete',
          detail: `${detail}: the others came with other pushes, or were taken out`,
        },
      ]
}
