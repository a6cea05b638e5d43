import { expect, it } from 'vitest'
import { toAppendProblem } from '../../src/ledger/append-problem.ts'
import { Problem } from '../../src/record/problem.ts'

const failure = (code: string): Error => Object.assign(new Error('of the database'), { code })

it('tells what repeating cannot mend from what it can', () => {
  expect(toAppendProblem(failure('53100'))?.code).toBe('storage_full')
  expect(toAppendProblem(failure('PL002'))?.code).toBe('clock_step')
  expect(toAppendProblem(failure('22P02'))?.code).toBe('internal')
  expect(toAppendProblem(failure('0A000'))?.code).toBe('internal')
  expect(toAppendProblem(failure('08006'))).toBeUndefined()
  expect(toAppendProblem(new Problem('unavailable', 'it is away'))).toBeUndefined()
})
