import { afterEach, expect, it } from 'vitest'
import type { InventoryJob } from '../../src/admission/messages.ts'
import { type ParsePool, createParsePool } from '../../src/admission/pool.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

const log = createLogger({ format: 'json', level: 'error', write: () => {} })
const jobOf = (repository: string): InventoryJob => ({
  kind: 'inventory',
  ledger: 'main/unit',
  repository,
  commit: 'c'.repeat(40),
  maxFiles: 1,
})

let pool: ParsePool
afterEach(() => pool.close())

/** Asks for a worker, and tells when it has one. */
function ask(repository: string, credential?: string): { has: boolean; free(): void } {
  const asked = { has: false, free: () => {} }
  void pool.start(jobOf(repository), credential).then(({ free }) => Object.assign(asked, { has: true, free }))
  return asked
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

it('one repository never has all workers: a body that does not end stops nobody else', async () => {
  pool = createParsePool(log, 3)
  const own = [ask('a'), ask('a'), ask('a'), ask('a')]
  await settled()
  expect(own.map(({ has }) => has)).toEqual([true, true, false, false])
  const other = ask('b')
  await settled()
  expect(other.has).toBe(true)
  // The place that falls free is of who came first and may have it.
  const third = ask('c')
  other.free()
  await settled()
  expect([own[2]?.has, third.has]).toEqual([false, true])
  own[0]?.free()
  await settled()
  expect(own.map(({ has }) => has)).toEqual([true, true, true, false])
})

it('one credential never has all workers, however many repositories it names', async () => {
  pool = createParsePool(log, 3)
  const own = ['a', 'b', 'c'].map((repository) => ask(repository, 'token:1'))
  const other = ask('c', 'token:2')
  await settled()
  expect([own.map(({ has }) => has), other.has]).toEqual([[true, true, false], true])
  // What the other one leaves is not for it either; its own place is.
  other.free()
  await settled()
  expect(own[2]?.has).toBe(false)
  own[0]?.free()
  await settled()
  expect(own[2]?.has).toBe(true)
})

it('the only worker there is takes everybody in their order', async () => {
  pool = createParsePool(log, 1)
  const [first, second] = [ask('a'), ask('a')]
  await settled()
  expect([first?.has, second?.has]).toEqual([true, false])
  first?.free()
  await settled()
  expect(second?.has).toBe(true)
})
