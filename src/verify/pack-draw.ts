import { sha256, sha256Hex } from '../record/sha256.ts'

/**
 * Draws a sample that anybody can draw again. For each stratum, in order of its name, candidates are numbered from 0 in the order in which
 * they are given. For counter 0, 1, 2, ... take the first 8 bytes, big-endian, of SHA-256(seed || stratum || 0x00 || counter as 8 bytes
 * big-endian), seed being 32 bytes and stratum UTF-8; throw it away when it is not below the largest multiple of the number of candidates
 * that fits 64 bits (so that no candidate is likelier), else take the remainder; throw it away when that candidate is drawn already.
 */
export interface Stratum<T> {
  name: string
  candidates: readonly T[]
}

export interface Drawn<T> {
  stratum: string
  picked: T[]
}

/** In order of stratum, then of drawing. A stratum smaller than its share gives all it has. */
export function drawSample<T>(strata: readonly Stratum<T>[], size: number, seed: Uint8Array): Drawn<T>[] {
  const ordered = strata.filter(({ candidates }) => candidates.length > 0).toSorted(byName)
  const shares = shareOut(
    ordered.map(({ candidates }) => candidates.length),
    size,
  )
  return ordered.map(({ name, candidates }, i) => ({
    stratum: name,
    picked: pick(candidates, shares[i] ?? 0, seed, name),
  }))
}

/** The seed as 32 bytes: SHA-256 of its text. */
export const seedOf = (text: string): string => sha256Hex(encoder.encode(text))

/**
 * One each while there are enough, the rest in proportion to what is left of each by largest remainder; of equal remainders the earlier
 * goes first. So a rare stratum is never left out of a sample that has room for it.
 */
export function shareOut(counts: readonly number[], size: number): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const wanted = Math.min(size, total)
  const first = counts.map((count, i): number => (count > 0 && i < wanted ? 1 : 0))
  const rest = wanted - first.reduce((sum, one) => sum + one, 0)
  const left = counts.map((count, i) => count - (first[i] ?? 0))
  const ofLeft = left.reduce((sum, count) => sum + count, 0)
  if (rest === 0 || ofLeft === 0) return first
  const exact = left.map((count) => (count * rest) / ofLeft)
  const shares = exact.map(Math.floor)
  const byRemainder = exact
    .map((share, i) => ({ i, remainder: share - Math.floor(share) }))
    .toSorted((a, b) => b.remainder - a.remainder || a.i - b.i)
  let open = rest - shares.reduce((sum, share) => sum + share, 0)
  for (const { i } of byRemainder) {
    if (open === 0) break
    if ((shares[i] ?? 0) >= (left[i] ?? 0)) continue
    shares[i] = (shares[i] ?? 0) + 1
    open--
  }
  return shares.map((share, i) => share + (first[i] ?? 0))
}

const encoder = new TextEncoder()
const byName = ({ name: a }: { name: string }, { name: b }: { name: string }): number => (a < b ? -1 : a > b ? 1 : 0)

function pick<T>(candidates: readonly T[], count: number, seed: Uint8Array, stratum: string): T[] {
  const head = Uint8Array.from([...seed, ...encoder.encode(stratum), 0, 0, 0, 0, 0, 0, 0, 0, 0])
  const view = new DataView(head.buffer)
  const many = BigInt(candidates.length)
  const limit = (2n ** 64n / many) * many
  const drawn = new Set<number>()
  for (let counter = 0n; drawn.size < count; counter++) {
    view.setBigUint64(head.length - 8, counter)
    const value = new DataView(Uint8Array.from(sha256(head)).buffer).getBigUint64(0)
    if (value < limit) drawn.add(Number(value % many))
  }
  return [...drawn].flatMap((i) => candidates.slice(i, i + 1))
}
