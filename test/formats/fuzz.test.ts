import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../src/record/problem.ts'
import { flatten, read } from './read.ts'

/** Mutations of real reports, the same each time: PROOFLINE_FUZZ says how many, for a long run. */
const rounds = Number(process.env['PROOFLINE_FUZZ'] ?? 400)
const seeds = [
  'ring/integration/lcov.info',
  'greet/integration/lcov.info',
  'refund/unit/coverage-final.json',
  'greet/integration/coverage.xml',
  'till/integration/jacoco.xml',
  'till/integration/clover.xml',
  'handmade/opencover.xml',
  'greet/unit/coverage.json',
  'ring/unit/llvm-cov.json',
  'fare/unit/cover.out',
  'stamp/resultset.json',
  'refund/unit/mutation.json',
  'fee/unit/mutations.xml',
]

/** mulberry32 */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const spices = [
  '\n',
  '\r\n',
  ',',
  '-',
  '"',
  '{',
  '}',
  '[',
  ']',
  ':',
  '\\',
  '\0',
  'é',
  'SF:',
  'DA:1,',
  'BRDA:',
  'FN:',
  'end_of_record\n',
  'mode: set\n',
  'null',
  'true',
  '[1,2]',
  '99999999999999999999',
  '-1',
  '1e400',
  '"__proto__":',
  '../',
  '\ufeff',
  '<',
  '/>',
  '&amp;',
  '&x;',
  '</line>',
  '<!-- -->',
  '<![CDATA[',
  '<!DOCTYPE a [',
  '<line number="1" hits="1"/>',
  'hits="99999999999"',
]

function mutate(report: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = [...report]
  for (let n = 1 + random(6); n > 0; n -= 1) {
    const at = random(bytes.length + 1)
    const some = 1 + random(60)
    switch (random(6)) {
      case 0:
        bytes[Math.min(at, bytes.length - 1)] = random(256)
        break
      case 1:
        bytes.splice(at, some)
        break
      case 2:
        bytes.splice(at, 0, ...new TextEncoder().encode(spices[random(spices.length)]))
        break
      case 3:
        bytes.splice(at, 0, ...bytes.slice(at, at + some))
        break
      case 4:
        bytes.splice(at, 0, ...bytes.slice(0, random(bytes.length + 1)))
        break
      default:
        bytes.length = Math.max(at, 1)
    }
    if (bytes.length === 0) bytes.push(0x7b)
  }
  return Uint8Array.from(bytes)
}

async function outcomeOf(report: Uint8Array, chunkBytes: number): Promise<unknown> {
  try {
    return flatten(await read(report, {}, chunkBytes))
  } catch (error) {
    if (error instanceof Problem) return { code: error.code, detail: error.message }
    throw error
  }
}

describe('a damaged report', () => {
  it.each(seeds)(
    'made from %s is read or refused, the same however it is cut',
    async (name) => {
      const report = new Uint8Array(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)))
      const random = createRandom(20_261_123)
      const kinds = new Map<string, number>()
      // Byte by byte, a long report takes longer than it shows.
      const turns = Math.ceil(rounds * Math.min(1, 6_000 / report.length))
      for (let round = 0; round < turns; round += 1) {
        const damaged = mutate(report, random)
        const whole = await outcomeOf(damaged, damaged.length)
        expect(await outcomeOf(damaged, 1 + random(50)), `round ${round}`).toEqual(whole)
        const kind = (whole as { code?: string }).code ?? 'read'
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      }
      // Both ends are reached, or the fuzz would show nothing.
      expect(kinds.size).toBeGreaterThan(1)
    },
    20_000 + 50 * rounds,
  )
})
