/** Why a run does not count: closed, in the order in which a seal lists them. A code never changes its meaning; docs/contract.md has them. */
export const basicReasons = {
  outcome_failed: 'the tests ended with a failure',
  outcome_aborted: 'the tests were aborted',
  abandoned: 'nobody ended the run within a day',
  unsealed: 'the run has not ended yet',
  tests_unknown: 'it is not known how many tests ran',
  no_tests: 'no test ran',
  no_parts: 'no report was sent',
  shard_incomplete: 'of a shard that was pushed in several parts some are missing',
  report_incomplete: 'a report broke off, or says too little to count',
  nothing_measured: 'the reports hold not one line and not one mutant',
  baseline: 'nothing was executed: a baseline of lines without a run',
  identity_unverified: 'nobody vouches for who pushed it',
  backfilled: 'an old report, sent for the record only',
} as const

/** What only a contract can have against a run. */
export const contractReasons = {
  suite_not_named: 'the contract names no such suite of this test type',
  stage_not_allowed: 'it ran at another stage than the contract says',
  tool_differs: 'a report was written by another tool, or version, than the contract says',
  definition_differs: 'a report counts lines by another definition than the contract says',
  configuration_differs: 'the coverage configuration is not the pinned one',
  identity_weak: 'who pushed it was verified in a way that the contract does not take',
  late: 'it was recorded later after it ran than the contract allows',
} as const

export type BasicReason = keyof typeof basicReasons
export type ContractReason = keyof typeof contractReasons
export type Reason = BasicReason | ContractReason
