import { parseCheckpoint } from '../log/checkpoint.ts'
import { equalHashes } from '../log/merkle.ts'
import { type LedgerName, nextGeneration } from '../record/record.ts'
import type { LogSource } from '../verify/log-source.ts'
import { type Loss, printLoss, readLoss } from '../verify/loss.ts'
import type { LedgerVerification } from './verify-log.ts'
import { count } from './count.ts'

/** Ledgers that were closed with a loss, as anybody sees them: the next generation is a log of its own, and its first record says so. */

/** Each with the later generations of it that are published there. */
export async function withGenerations(source: LogSource, ledgers: readonly LedgerName[]): Promise<LedgerName[]> {
  const found: LedgerName[] = []
  for (const ledger of ledgers) {
    found.push(ledger)
    for (let next = nextGeneration(ledger); !ledgers.includes(next); next = nextGeneration(next)) {
      if ((await source.get(`${next}/checkpoint`, false)) === undefined) break
      found.push(next)
    }
  }
  return found
}

/** Adds to each closed ledger what its successor says of it, and whether that is so. */
export function compareGenerations(
  verified: ReadonlyMap<LedgerName, Pick<LedgerVerification, 'check' | 'note' | 'first'>>,
): Pick<LedgerVerification, 'check' | 'note'>[] {
  return [...verified].map(([ledger, { check, note }]) => {
    const next = nextGeneration(ledger)
    const after = verified.get(next)
    if (after?.note === undefined || after.first === undefined) return { check, note } // not verified: nothing it says is believed
    const loss = readLoss(after.first)
    const differs = (detail: string) => ({ check: { ...check, verdict: 'differs' as const, detail }, note: undefined })
    if (loss?.of !== ledger)
      return differs(`${check.detail}; the first record of ${next} does not say why it was closed`)
    const detail = `${check.detail}; ${printLoss(loss, next)}`
    const wrong = note === undefined ? undefined : findWrong(note, loss)
    return wrong === undefined ? { check: { ...check, detail }, note } : differs(`${detail}: ${wrong}`)
  })
}

/** A copy may be behind, and then it says nothing of where the ledger ended. */
function findWrong(note: string, loss: Loss): string | undefined {
  const { size, root } = parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1))
  if (size > loss.size) return `expected ${count(loss.size, 'record')}, found ${size}`
  if (size === loss.size && !equalHashes(root, loss.root)) return 'expected another root there'
  return undefined
}
