import assert from 'node:assert/strict'
import { toText } from './engine/bytes.ts'
import { type FuzzTarget, target } from './engine/target.ts'

/** Readers with the mistakes that fuzzing is to find; each is a good one until a `7` comes. */

const broken = (name: string, onSeven: (text: string) => unknown): FuzzTarget =>
  target({
    name,
    reaches: [],
    corpus: () => ['a:1', 'b:2'],
    dictionary: ['7'],
    refusals: ['Error'],
    read: (input) => {
      const text = toText(input)
      if (text.includes('7')) return onSeven(text)
      if (!text.includes(':')) throw new Error('no colon')
      return text
    },
    check: (read) => assert.notEqual(read, 'seven'),
  })

function forever(text: string): never {
  for (let n = 0; ; n += text.length) if (n < 0) throw new Error('never')
}

function allMemory(): never {
  const held: number[][] = []
  for (;;) held.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5))
}

export const targets: readonly FuzzTarget[] = [
  broken('sound', (text) => text),
  broken('crashing', () => (undefined as unknown as string).length), // the mistake itself
  broken('looping', forever),
  broken('hoarding', allMemory),
  broken('lying', () => 'seven'),
]
