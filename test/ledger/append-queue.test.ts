import { expect, it } from 'vitest'
import { createAppendQueue, maxWaitingBytes } from '../../src/ledger/append-queue.ts'
import type { Submission } from '../../src/ledger/decide.ts'

const settle = { resolve: () => {}, reject: () => {} }
/** A group of which the queue looks at counts and bytes only. */
const group = (rawBytes: number, count = 1): Submission[] => [
  { segments: [{ count, rawBytes }] } as unknown as Submission,
]
const mebibytes = 1_048_576

it('what waits for an append is bounded by its bytes: beyond that a client is told to come back', () => {
  const queue = createAppendQueue()
  const fits = maxWaitingBytes / (8 * mebibytes)
  for (let i = 0; i < fits; i++) queue.add(group(8 * mebibytes), settle)
  expect(() => queue.add(group(1), settle)).toThrow(expect.objectContaining({ code: 'overloaded' }))
  const batch = queue.takeBatch()
  queue.add(group(8 * mebibytes), settle)
  // What could not be appended comes back whatever waits meanwhile: it was taken before.
  queue.putBack(batch)
  expect(() => queue.add(group(1), settle)).toThrow(expect.objectContaining({ code: 'overloaded' }))
  while (!queue.isEmpty()) queue.takeBatch()
  queue.add(group(8 * mebibytes), settle)
})

it('what no append can hold is refused at once', () => {
  const queue = createAppendQueue()
  expect(() => queue.add(group(17 * mebibytes), settle)).toThrow(expect.objectContaining({ code: 'use_parts' }))
  expect(() => queue.add(group(1, 16_385), settle)).toThrow(expect.objectContaining({ code: 'use_parts' }))
  expect(queue.isEmpty()).toBe(true)
})
