import { type Check, type Figure, median, printNumber } from './figure.ts'
import { inChild } from './proc.ts'
import { type BenchService, vkeyOf } from './service.ts'
import type { VerifyAnswer, VerifyInput } from './verify-child.ts'

/** What `proofline verify --database` does with one ledger: every record, leaf hash, tile root, head and the newest signature. */
export async function measureVerifying(service: BenchService, runs: number, check: Check): Promise<Figure> {
  const input: VerifyInput = {
    databaseUrl: await service.databaseUrl(),
    ledger: 'main/unit',
    origin: 'localhost/main/unit',
    vkey: await vkeyOf(service.dataDir, 'main/unit'),
    runs,
  }
  const { records, signed, differences, wall, cpu } = await inChild<VerifyAnswer>('./verify-child.ts', input)
  check(
    'the ledger verifies',
    differences === 0 && signed === records && records > 0,
    `${differences} differences, ${signed} of ${records} signed`,
  )
  const rates = wall.map((seconds) => records / seconds)
  return {
    what: 'verify a ledger from the database', unit: 'records/s', measured: median(rates), target: 200_000, better: 'more', runs: rates,
    note: `${printNumber(records)} records, one process; ${printNumber(records / median(cpu))} a CPU second of it`,
    limit: 'one thread: SHA-256 of every payload and record, and the decompression of segments',
  } // oxfmt-ignore
}
