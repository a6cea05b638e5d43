import { type Check, type Figure, median, printNumber } from './figure.ts'
import { cpuSeconds, cpuSecondsBelow } from './proc.ts'
import type { BenchService } from './service.ts'

/** One consumer pulls the whole unit ledger as NDJSON, page by page, 10,000 records each. */
export async function measureFeed(service: BenchService, passes: number, check: Check): Promise<Figure> {
  const rates: number[] = []
  const used = { service: 0, postgres: 0, records: 0 }
  let bytes = 0
  for (let pass = 0; pass < passes; pass++) {
    const before = { service: cpuSeconds(service.pid), postgres: cpuSecondsBelow(service.pid) }
    const began = performance.now()
    let records = 0
    let next = -1
    bytes = 0
    for (let path = '/v1/feed/unit?after=-1&limit=10000'; ;) {
      const page = await service.get(path, 'application/x-ndjson')
      for (let at = page.body.indexOf(10); at >= 0; at = page.body.indexOf(10, at + 1)) records++
      bytes += page.body.length
      const more = page.headers['proofline-has-more']
      if (more === 'false') {
        next = Number(page.headers['proofline-published'])
        break
      }
      path = `/v1/feed/unit?limit=10000&cursor=${String(page.headers['proofline-next-cursor'])}`
    }
    rates.push(records / ((performance.now() - began) / 1000))
    used.service += cpuSeconds(service.pid) - before.service
    used.postgres += cpuSecondsBelow(service.pid) - before.postgres
    used.records += records
    check('the feed has every published record', records === next, `${records} of ${next}`)
  }
  const perMillion = (seconds: number): string => (seconds / (used.records / 1e6)).toFixed(1)
  return {
    what: 'feed, one consumer', unit: 'records/s', measured: median(rates), target: 300_000, better: 'more', runs: rates,
    note: `NDJSON, limit=10000, ${printNumber(used.records / passes)} records, ${printNumber(bytes / 1e6)} MB; service, consumer and PostgreSQL on the same cores`,
    limit: `one thread of the service, page after page; CPU seconds a million records: service ${perMillion(used.service)}, PostgreSQL ${perMillion(used.postgres)}`,
  } // oxfmt-ignore
}
