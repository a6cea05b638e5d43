import { createHash } from 'node:crypto'
import { type CopyTable, createCopyTable, toChunks, toRow } from './copy.ts'
import { type Check, type Figure, median, printNumber } from './figure.ts'
import { cpuSeconds, cpuSecondsBelow } from './proc.ts'
import { corpusFile, createReports, pathOf } from './reports.ts'
import { type BenchService, declareRun, type Run, sealRun } from './service.ts'

/**
 * Push of LCOV over HTTP to a signed, fsynced commit: declaration, one part, seal, several runs at a time; against COPY of the very same
 * records, already parsed. Both into the same PostgreSQL, by turns.
 */

export interface RecordSettings {
  rounds: number
  runsPerLane: number
  filesPerRun: number
}

const lanes = 4
const repository = 'github.com/acme/payments'

interface Prepared {
  run: Run
  body: Buffer
}

export async function measureRecording(
  service: BenchService,
  settings: RecordSettings,
  check: Check,
): Promise<Figure[]> {
  const { rounds, runsPerLane, filesPerRun } = settings
  const next = Array.from({ length: lanes }, (_, lane) => createReports(filesPerRun, 1_000_000 * lane))
  const table = await createCopyTable(await service.databaseUrl())
  const rates: number[] = []
  const copies: number[] = []
  const detail = { service: 0, postgres: 0, client: 0, copying: 0, records: 0, bytes: 0, mb: 0 }
  for (let round = -1; round < rounds; round++) {
    // Round -1 warms up both sides and is not counted.
    const plans = await Promise.all(
      next.map((report, lane) => prepare(service, report, round, lane, round < 0 ? 2 : runsPerLane)),
    )
    const before = {
      service: cpuSeconds(service.pid),
      postgres: cpuSecondsBelow(service.pid),
      client: process.cpuUsage(),
    }
    const from = await publishedSize(service)
    const began = performance.now()
    const counts = await Promise.all(plans.map((plan) => pushAll(service, plan)))
    const seconds = (performance.now() - began) / 1000
    const records = counts.flat().reduce((sum, count) => sum + count, 0)
    const pushed = plans.flat().length
    check(
      'every file of a report became one record',
      records === pushed * filesPerRun,
      `${records} of ${pushed * filesPerRun}`,
    )
    const after = {
      service: cpuSeconds(service.pid),
      postgres: cpuSecondsBelow(service.pid),
      client: process.cpuUsage(before.client),
    }
    const copied = await copySame(service, table, from, records, check)
    if (round < 0) continue
    rates.push(records / seconds)
    copies.push(records / copied.seconds)
    detail.service += after.service - before.service
    detail.postgres += after.postgres - before.postgres
    detail.client += (after.client.user + after.client.system) / 1e6
    detail.copying += copied.cpu
    detail.records += records
    detail.bytes += copied.bytes
    detail.mb += plans.flat().reduce((sum, { body }) => sum + body.length, 0) / 1e6
  }
  await table.close()
  const perMillion = (seconds: number): string => (seconds / (detail.records / 1e6)).toFixed(1)
  const ratios = rates.map((rate, i) => rate / (copies[i] ?? Number.NaN))
  const cpu = `CPU seconds a million records: service ${perMillion(detail.service)}, PostgreSQL ${perMillion(detail.postgres)}, the pushing client ${perMillion(detail.client)}; COPY and its client ${perMillion(detail.copying)}`
  const shape = `${lanes} uploads at a time, reports of ${printNumber(filesPerRun)} files of 60 lines, ${Math.round(detail.bytes / detail.records)} bytes a record`
  return [
    {
      what: 'record, against COPY of the same records', unit: 'times COPY', measured: median(ratios), target: 1, better: 'more', runs: ratios,
      note: `${printNumber(median(rates))} records/s pushed, ${printNumber(median(copies))} rows/s copied; ${shape}`,
      limit: `the two cores, which pushing shares with its client and PostgreSQL while COPY has one to itself; ${cpu}`,
      detail: { recordsPerSecond: median(rates), copiedPerSecond: median(copies), megabytesPerSecond: detail.mb / (detail.records / median(rates)), cpu },
    },
    ...(await measureCorpus(service, check)),
  ] // oxfmt-ignore
}

/** Declares the runs of a lane and brings the inventory, which is not what is measured; makes their reports. */
async function prepare(
  service: BenchService,
  report: () => Buffer,
  round: number,
  lane: number,
  runs: number,
): Promise<Prepared[]> {
  const commit = createHash('sha1').update(`${round} ${lane}`).digest('hex')
  const plan: Prepared[] = []
  for (let i = 0; i < runs; i++) {
    const run: Run = {
      run: `bench.${round + 1}-${i}.lane${lane}.unit`,
      repository,
      suite: `lane${lane}`,
      commit,
      testType: 'unit',
    }
    const body = report()
    if (i === 0)
      await declareRun(service, run, inventoryOf(commit, body.toString('latin1').match(/^SF:/gm)?.length ?? 0))
    plan.push({ run, body })
  }
  return plan
}

function inventoryOf(commit: string, files: number): string {
  return Array.from({ length: files }, (_, file) => {
    const blob = createHash('sha1').update(`${commit} ${file}`).digest('hex')
    return `${JSON.stringify({ path: pathOf(file), blob })}\n`
  }).join('')
}

async function pushAll(service: BenchService, plan: readonly Prepared[]): Promise<number[]> {
  const counts: number[] = []
  for (const { run, body } of plan) {
    await declareRun(service, run)
    const receipt = await service.call('PUT', `/v1/runs/${run.run}/parts?name=coverage%2Flcov.info`, body)
    await sealRun(service, run.run)
    counts.push((receipt['records'] as { count: number } | null)?.count ?? 0) // PartReceipt
  }
  return counts
}

async function publishedSize(service: BenchService): Promise<number> {
  const status = await service.call('GET', '/v1/status')
  const found = (status['ledgers'] as { ledger: string; published: number }[]).find(
    ({ ledger }) => ledger === 'main/unit',
  ) // Status
  return found?.published ?? 0
}

/** Pulls the coverage records from `from` on out of the feed and copies them, parsed beforehand. */
async function copySame(
  service: BenchService,
  table: CopyTable,
  from: number,
  expected: number,
  check: Check,
): Promise<{ seconds: number; bytes: number; cpu: number }> {
  const rows: string[] = []
  let bytes = 0
  for (let path = `/v1/feed/unit?after=${from - 1}&limit=10000&kind=coverage`; path !== '';) {
    const page = await service.get(path, 'application/x-ndjson')
    for (const line of page.body.toString().split('\n')) {
      if (line === '') continue
      rows.push(toRow(line))
      bytes += line.length
    }
    const more = page.headers['proofline-has-more']
    path =
      more === undefined || more === 'true'
        ? `/v1/feed/unit?limit=10000&kind=coverage&cursor=${String(page.headers['proofline-next-cursor'])}`
        : ''
  }
  check('the feed has every pushed record', rows.length === expected, `${rows.length} of ${expected}`)
  const chunks = toChunks(rows)
  const before = { postgres: cpuSecondsBelow(service.pid), own: process.cpuUsage() }
  const { rows: copied, seconds } = await table.copy(chunks)
  const { user, system } = process.cpuUsage(before.own)
  const cpu = cpuSecondsBelow(service.pid) - before.postgres + (user + system) / 1e6
  check('COPY took every row', copied === rows.length, `${copied} of ${rows.length}`)
  return { seconds, bytes, cpu }
}

/** The same over real LCOV, whose files are larger: told in MB/s, since records differ in size. */
async function measureCorpus(service: BenchService, check: Check): Promise<Figure[]> {
  const body = corpusFile('lcov-grcov-firefox-prova.info.gz')
  if (body === undefined) return []
  const rates: number[] = []
  for (let round = 0; round < 4; round++) {
    const began = performance.now()
    const counts = await Promise.all(
      Array.from({ length: lanes }, (_, lane) => {
        const commit = createHash('sha1').update(`corpus ${lane}`).digest('hex')
        const run: Run = {
          run: `bench.corpus-${round}.lane${lane}.unit`,
          repository,
          suite: `corpus${lane}`,
          commit,
          testType: 'unit',
        }
        return pushAll(service, [{ run, body }])
      }),
    )
    check(
      'real LCOV is recorded',
      counts.flat().every((count) => count >= 431),
      counts.join(' '),
    )
    if (round > 0) rates.push((lanes * body.length) / 1e6 / ((performance.now() - began) / 1000))
  }
  return [{
    what: 'record real LCOV', unit: 'MB/s', measured: median(rates), target: 100, better: 'more', runs: rates,
    note: `corpus, a Firefox report of 3 MB and 431 files, ${lanes} uploads at a time; no target of the design, for information`,
  }] // oxfmt-ignore
}
