import { type Hunks, printHunks } from './hunks.ts'
import { type LedgerName, maxPayloadBytes } from './record.ts'
import { type By, digestList, printList, printPayload } from './run.ts'
import { cutList } from './list-windows.ts'

/**
 * Line identity: how the lines of a file at one commit became those of a file at another. `linemap` records are the maps, one a pair of
 * (path, blob), whichever commits it is met at; a `comparison` says that two commits were compared, what became of which file, and what
 * has no map. Both hold paths and numbers, never a word of the source.
 */

export interface FileAt {
  path: string
  blob: string
}

export interface LineMap {
  from: FileAt
  to: FileAt
  /** Empty when only the name differs. */
  hunks: Hunks
}

/** Between which commits a map was brought first, and by which run. */
export interface Brought {
  ledger: LedgerName
  run: string
  repository: string
  from: string
  to: string
}

const encoder = new TextEncoder()
const bytesOf = (value: unknown): number => encoder.encode(JSON.stringify(value)).length

/** Payloads of a map: one, or consecutive windows of hunks. `path` and `blob` are those it leads to, as in the coverage records of that commit. */
export function lineMapPayloads({ from, to, hunks }: LineMap, brought: Brought): Uint8Array[] {
  const { ledger, run, repository } = brought
  const head = {
    run,
    repository,
    commit: brought.to,
    path: to.path,
    blob: to.blob,
    from: { commit: brought.from, path: from.path, blob: from.blob },
  }
  const room = maxPayloadBytes - bytesOf({ schema: 'proofline.linemap.v1', kind: 'linemap', ledger, ...head }) - 80
  const printed = hunks.length === 0 ? [] : printHunks(hunks).split(' ')
  const windows = cutList(printed, (hunk) => hunk.length + 1, room)
  return windows.map((window, index) =>
    printPayload('linemap', ledger, {
      ...head,
      window: windows.length === 1 ? undefined : { index, of: windows.length },
      hunks: window.join(' '),
    }),
  )
}

export interface Comparison {
  /** How the two were compared, for whoever does it again: `git.patience@1`. */
  definition: string
  mapped: number
  renames: readonly (readonly [from: string, to: string])[]
  /** Files that differ and have no map. */
  unmapped: readonly { path: string; reason: string }[]
  refused: readonly { where: string; reason: string }[]
  by: By
}

/** The payload of a comparison; `lists` are what is to be kept because the record names it by digest only. */
export function comparisonPayload(
  { definition, mapped, renames, unmapped, refused, by }: Comparison,
  brought: Brought,
): { payload: Uint8Array; lists: Uint8Array[] } {
  const { ledger, run, repository, from, to } = brought
  const shown = [renames, unmapped, refused].map((list) => digestList(list, maxListBytes))
  const payload = printPayload('comparison', ledger, {
    run,
    repository,
    commit: to,
    from: { commit: from },
    definition,
    mapped,
    renames: shown[0],
    unmapped: shown[1],
    refused: shown[2],
    by,
  })
  const lists = [renames, unmapped, refused].filter((_, i) => shown[i]?.sha256 !== undefined).map(printList)
  return { payload, lists }
}

/** A third of what a record holds beside the longest names: strings of 256 bytes for run, repository, definition and identity. */
const maxListBytes = 850
