import type { DoubtAnswer, DoubtInput } from './doubt-child.ts'
import { type Check, type Figure, printNumber } from './figure.ts'
import { inChild } from './proc.ts'
import type { BenchService } from './service.ts'

const records = 10_000

/** Ten thousand records whose answers were lost though they are there: how long until each is proved, by searching for them. */
export async function measureDoubt(service: BenchService, check: Check): Promise<Figure[]> {
  const databaseUrl = await service.databaseUrl()
  const figures: Figure[] = []
  for (const batch of [1_000, 10]) {
    const input: DoubtInput = { databaseUrl, ledger: 'main/integration', records, batch }
    const { inDoubt, seconds, searches, duplicates, left } = await inChild<DoubtAnswer>('./doubt-child.ts', input, [])
    check('all of them were in doubt', inDoubt === records, String(inDoubt))
    check(
      'none of them is in doubt any more, and none was sent twice',
      left === 0 && duplicates === 0,
      `${left} left, ${duplicates} twice`,
    )
    figures.push({
      what: `${printNumber(records)} in doubt that are there, ${printNumber(batch)} an attempt, resolved`, unit: 's', measured: seconds, target: 60, better: 'less', runs: [seconds],
      note: `${printNumber(searches)} searches, each answered at once; a real Splunk takes its time for each`,
    }) // oxfmt-ignore
  }
  return figures
}
