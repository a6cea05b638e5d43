import type { LineMap } from '../record/line-map.ts'
import type { OfferedMap } from './line-map-body.ts'

/**
 * Which of the offered maps fit the two commits. The inventories say what the files were; a map for anything else would never be found,
 * or would lead astray. Files that differ and have no map are named: silence would look like completeness.
 */
export interface JudgedMaps {
  accepted: LineMap[]
  unmapped: { path: string; reason: string }[]
  refused: { where: string; reason: string }[]
}

export type InventoryWindow = readonly (readonly [path: string, blob: string])[]

interface Blobs {
  before?: string
  after?: string
}

/** Reads both inventories once, window by window in path order: memory is that of what differs. */
export async function judgeMaps(
  offered: readonly OfferedMap[],
  before: AsyncIterable<InventoryWindow>,
  after: AsyncIterable<InventoryWindow>,
): Promise<JudgedMaps> {
  const asked = new Map<string, Blobs>()
  for (const { from, to } of offered) {
    asked.set(from.path, {})
    asked.set(to.path, {})
  }
  const changed = new Set<string>()
  await mergeInventories(before, after, (path, blobs) => {
    if (blobs.before !== undefined && blobs.after !== undefined && blobs.before !== blobs.after) changed.add(path)
    if (asked.has(path)) asked.set(path, blobs)
  })

  const judged: JudgedMaps = { accepted: [], unmapped: [], refused: [] }
  const taken = { from: new Set<string>(), to: new Set<string>() }
  for (const map of offered) {
    const reason =
      taken.from.has(map.from.path) || taken.to.has(map.to.path)
        ? 'offered_twice'
        : findReason(map, asked.get(map.from.path) ?? {}, asked.get(map.to.path) ?? {})
    if (reason !== undefined) {
      judged.refused.push({ where: `line ${map.line}`, reason })
      continue
    }
    taken.from.add(map.from.path)
    taken.to.add(map.to.path)
    changed.delete(map.to.path)
    if (map.hunks !== undefined) judged.accepted.push({ from: map.from, to: map.to, hunks: map.hunks })
    else judged.unmapped.push({ path: map.to.path, reason: map.unmapped ?? '' })
  }
  for (const path of changed) judged.unmapped.push({ path, reason: 'not_sent' })
  return judged
}

function findReason({ from, to, hunks }: OfferedMap, atFrom: Blobs, atTo: Blobs): string | undefined {
  if (atFrom.before !== from.blob) return 'from_not_in_commit'
  if (atTo.after !== to.blob) return 'to_not_in_commit'
  const isSame = from.blob === to.blob
  if (from.path === to.path) {
    if (isSame) return 'not_changed'
  } else if (atFrom.after !== undefined || atTo.before !== undefined) return 'not_renamed'
  if (hunks !== undefined && isSame !== (hunks.length === 0)) return isSame ? 'hunks_of_equal_blobs' : 'no_hunks'
  return undefined
}

/** Tells the files of two inventories side by side, each path once, in path order. */
async function mergeInventories(
  before: AsyncIterable<InventoryWindow>,
  after: AsyncIterable<InventoryWindow>,
  visit: (path: string, blobs: Blobs) => void,
): Promise<void> {
  const [a, b] = [openCursor(before), openCursor(after)]
  for (;;) {
    // Waits only at the end of a window: a promise a file would cost more than all the rest.
    const left = a.at() ?? (await a.refill())
    const right = b.at() ?? (await b.refill())
    if (left === undefined && right === undefined) return
    if (right === undefined || (left !== undefined && left[0] < right[0])) {
      a.next()
      if (left !== undefined) visit(left[0], { before: left[1] })
    } else if (left === undefined || right[0] < left[0]) {
      b.next()
      visit(right[0], { after: right[1] })
    } else {
      a.next()
      b.next()
      visit(left[0], { before: left[1], after: right[1] })
    }
  }
}

function openCursor(windows: AsyncIterable<InventoryWindow>) {
  const source = windows[Symbol.asyncIterator]()
  let window: InventoryWindow = []
  let i = 0
  return {
    at: () => window[i],
    next: () => void i++,
    async refill() {
      while (i >= window.length) {
        const { done, value } = await source.next()
        if (done === true) return undefined
        window = value
        i = 0
      }
      return window[i]
    },
  }
}
