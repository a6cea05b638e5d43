import { describe, expect, it } from 'vitest'
import { type VersionMap, createVersions, versionOf } from '../../src/history/follow-line.ts'
import { createJoinedVersions } from '../../src/history/joined-versions.ts'
import { fromSorted, printLines } from '../../src/record/lines.ts'
import { createRandom, hunksBetween } from './random-history.ts'

/** Versions with maps between any of them: several ways, ways on which lines are lost and come back, maps that contradict each other. */
function makeMaps(random: (n: number) => number): { names: string[]; maps: VersionMap[] } {
  const names = Array.from({ length: 2 + random(7) }, (_, i) => versionOf('ab'[random(2)]!, `${i}`))
  const maps = Array.from({ length: random(14) }, () => {
    const [from, to] = [names[random(names.length)]!, names[random(names.length)]!]
    const was = Array.from({ length: 1 + random(12) }, (_, i) => i)
    const now = was.flatMap((line) => (random(5) === 0 ? [] : random(5) === 0 ? [100 + line, line] : [line]))
    return { from, to, hunks: hunksBetween(was, now) }
  })
  return { names, maps }
}

describe('createJoinedVersions', () => {
  it('finds for all lines at once what following each of them finds, over random maps in any order', () => {
    const seen = { joined: 0, apart: 0, some: 0 }
    for (let seed = 1; seed <= 1_000; seed++) {
      const random = createRandom(seed)
      const { names, maps } = makeMaps(random)
      const versions = createVersions(maps)
      const joined = createJoinedVersions(random(2) === 0 ? maps.toReversed() : maps)
      const lines = Array.from({ length: 15 }, (_, i) => i + 1).filter(() => random(4) > 0)
      for (const version of names)
        for (const other of names) {
          const [from, to] = [versions.numberOf(version), versions.numberOf(other)]
          const followed = lines.map((line) => (from === undefined || to === undefined ? -1 : versions.follow(from, line)[to]!)) // oxfmt-ignore
          const isJoined = joined.groupOf(version) !== undefined && joined.groupOf(version) === joined.groupOf(other)
          const where = `seed ${seed}: ${version} to ${other}`
          expect(`${where} ${isJoined}`).toBe(`${where} ${followed.every((number) => number >= 0) && from !== undefined && to !== undefined}`) // oxfmt-ignore
          const found = printLines(joined.linesAt(version, other, fromSorted(lines)))
          if (version === other && from === undefined) continue // the same version needs no map
          const expected = fromSorted(lines.filter((_, i) => followed[i]! > 0))
          expect(`${where} ${found}`).toBe(`${where} ${printLines(expected)}`)
          seen[isJoined ? 'joined' : 'apart'] += 1
          if (expected.length > 0 && found !== printLines(fromSorted(lines))) seen.some += 1
        }
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(500)
  })
})
