import { createHash } from 'node:crypto'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type CoverageText, type ParsedCoverage, parseCoverage } from './coverage-text.ts'
import type { DefinedState, Known, RepositoryMemory, RunState } from './repository-memory.ts'
import type { Rows } from './rows.ts'
import { packStates } from './states.ts'

/** Pure: what one run that counts says, as a difference to another. */

export interface RunGathering {
  /** The next record of the part that is being read. */
  add(record: CoverageText): void
  /** Ends a part; the number of its layout. */
  endPart(): number
  /** Inserts what differs from the base; the state of the run, which the next one may be a difference to. */
  finish(seq: number): RunState
}

export function gatherRun(memory: RepositoryMemory, base: RunState, rows: Rows): RunGathering {
  const texts = new Map<number, string>()
  let layout: number[] = []
  return {
    add({ path, text }) {
      const id = pathId(memory, path, rows)
      layout.push(id)
      const before = texts.get(id)
      // What is equal is the string that is there already: a run in memory then costs what differs from its base.
      const known = before === undefined ? base.get(id)?.text : undefined
      texts.set(id, known === text ? known : before === undefined ? text : `${before}\n${text}`)
    },
    endPart() {
      const ended = layoutId(memory, layout, rows)
      layout = []
      return ended
    },
    finish(seq) {
      const state = new Map<number, Known>()
      for (const [id, text] of texts) {
        const before = base.get(id)
        if (before !== undefined && before.text === text) {
          state.set(id, before)
          continue
        }
        const states = statesOf(text)
        for (const { definition, blob, packed } of changedStates(before?.states ?? [], states))
          rows.changes.push({
            repository: memory.id,
            path: id,
            definition,
            seq,
            blob: toBytes(blob),
            state: packed === null ? null : Buffer.from(packed, 'latin1'),
          })
        state.set(id, { text, states })
      }
      for (const [id, { states }] of base)
        if (!state.has(id))
          for (const { definition } of states)
            rows.changes.push({ repository: memory.id, path: id, definition, seq, blob: null, state: null })
      return state
    },
  }
}

/** Those that are new or differ, and those that are gone, without bytes. */
function changedStates(
  before: readonly DefinedState[],
  now: readonly DefinedState[],
): { definition: string; blob: string | undefined; packed: string | null }[] {
  const changed = now.filter(({ definition, blob, packed }) => {
    const known = before.find((one) => one.definition === definition)
    return known === undefined || known.blob !== blob || known.packed !== packed
  })
  const gone = before.filter(({ definition }) => !now.some((one) => one.definition === definition))
  return [...changed, ...gone.map(({ definition }) => ({ definition, blob: undefined, packed: null }))]
}

/** One for each definition, in order of their names; the records of one definition are joined: windows, and shards that measure the same file. */
function statesOf(text: string): DefinedState[] {
  const parsed = text.split('\n').map((one) => parseCoverage({ path: '', text: one }))
  const byDefinition = Map.groupBy(parsed, ({ definition }: ParsedCoverage) => definition)
  return [...byDefinition]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([definition, some]) => ({
      definition,
      blob: some.find(({ blob }) => blob !== undefined)?.blob,
      packed: packStates(some.map(({ states }) => states)).toString('latin1'),
    }))
}

export function pathId(memory: RepositoryMemory, json: string, rows: Rows): number {
  const known = memory.paths.get(json)
  if (known !== undefined) return known
  const id = memory.paths.size
  memory.paths.set(json, id)
  rows.paths.push({ repository: memory.id, id, path: Buffer.from(json, 'latin1').toString() })
  return id
}

function layoutId(memory: RepositoryMemory, paths: readonly number[], rows: Rows): number {
  const plain = Buffer.from(Int32Array.from(paths, (path, i) => path - (paths[i - 1] ?? 0)).buffer)
  const digest = createHash('sha256').update(plain).digest().subarray(0, 16)
  const known = memory.layouts.get(digest.toString('hex'))
  if (known !== undefined) return known
  const id = memory.layouts.size
  memory.layouts.set(digest.toString('hex'), id)
  rows.layouts.push({ repository: memory.id, id, digest, paths: zstdCompressSync(plain) })
  return id
}

/** Path ids of a part's records, in order of their seqs. */
export function unpackLayout(packed: Uint8Array): number[] {
  const bytes = zstdDecompressSync(packed)
  const paths: number[] = []
  for (let at = 0; at < bytes.length; at += 4) paths.push(bytes.readInt32LE(at) + (paths.at(-1) ?? 0))
  return paths
}

export function toBytes(hex: string | undefined): Buffer | null {
  return hex === undefined ? null : Buffer.from(hex, 'hex')
}
