import type { SealRequest, TestTotals } from '../api/runs.ts'

/** How the tests of a push ended. What the user says stands; else tests that failed are a failure, also in a job that goes on after them. */

export type Outcome = NonNullable<SealRequest['outcome']>

export function outcomeOf(said: Outcome | undefined, tests: TestTotals | null): Outcome {
  return said ?? (failedOf(tests) > 0 ? 'failed' : 'completed')
}

/** What the user should know of an outcome that was not said. */
export function warnOfFailed(said: Outcome | undefined, tests: TestTotals | null): string[] {
  const failed = failedOf(tests)
  if (said !== undefined || failed === 0) return []
  return [
    `${failed} of ${tests?.total} tests failed, so the outcome is failed and the run does not count: where it ended well all the same, say --outcome completed`,
  ]
}

const failedOf = (tests: TestTotals | null): number => tests?.failed ?? 0
