import { createJudge } from '../../src/admission/judge.ts'
import { createProduction } from '../../src/admission/production.ts'

/** The real judge of an org that has no contract. */
export const noContract = createJudge({
  contracts: { contractAt: async () => ({ own: undefined, org: undefined, effective: undefined }) },
  production: createProduction(async () => undefined),
}).judge
