import { expect, it } from 'vitest'
import { comparing } from '../../src/service/comparing.ts'
import { readConfig } from '../../src/config.ts'
import type { KeepingDeps } from '../../src/service/keeping.ts'
import type { Book } from '../../src/ledger/book.ts'
import { Problem } from '../../src/record/problem.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

it('both heads are kept also of a ledger that was stopped after the start, and nothing is signed in it', async () => {
  const kept: string[] = []
  const ending = new AbortController()
  const stopped = new Problem('rollback_detected', 'main/unit has 2 records, there were 3 before')
  const book = {
    ledger: 'main/unit',
    publisher: { stopped: () => stopped, catchUp: async () => Promise.reject(new Error('it is stopped')) },
  } as unknown as Book // what is asked of it
  const deps = {
    config: readConfig(undefined, {}),
    books: new Map([['main/unit', book]]),
    destinations: new Map(),
    heads: {
      compare: async () => [],
      async keep({ ledger }: Book) {
        kept.push(ledger)
        ending.abort()
      },
    },
    log: silentLogger,
  } as unknown as KeepingDeps // what this part reads of it
  let running: Promise<void> | undefined
  await comparing(deps, (_name, run) => (running = run(ending.signal)))
  await running
  expect(kept).toEqual(['main/unit'])
})
