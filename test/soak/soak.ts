import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { forkFake } from '../chaos/fakes.ts'
import { createRandom } from '../support/fail-modes.ts'
import { ask, cleanEnvironment, runCli, startServe } from '../support/service.ts'
import { createLoad } from './load.ts'
import { createMeter } from './meter.ts'
import { meterGarbage } from './metered-garbage.ts'
import { judge, readProcess, type Reading } from './readings.ts'

/**
 * `npm run soak`: an hour of pushes, pulls, questions and garbage at once, from a service with its embedded database and one destination that
 * sometimes fails (`-- --minutes 10` for less; `--seed` repeats what is sent). Then memory and descriptors have to be flat, no answer a fault,
 * the feed without a gap, every record at the destination once, and all of it verified. Prints the latencies and writes bench/results/soak.json.
 */

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' } } })
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 24 * 60)) throw new Error('--minutes takes a number of minutes')
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const random = createRandom(seed)

const began = performance.now()
const elapsed = (): number => performance.now() - began
const say = (line: string): void => console.error(`${(elapsed() / 1_000).toFixed(0).padStart(5)} s  ${line}`)
const meter = createMeter()
const check = (what: string, isRight: boolean, detail: string): void => {
  say(`${isRight ? 'ok     ' : 'WRONG  '}${what}${detail === '' ? '' : `: ${detail}`}`)
  if (!isRight) meter.wrong(what, detail)
}

const results = join(import.meta.dirname, '../../bench/results')
const folder = await mkdtemp(join(tmpdir(), 'proofline-soak-'))
// Quiet machines record 20,000 a minute: twice that.
const siem = await forkFake({ type: 'splunk', hec: { useAck: true, ackAfterMs: 50, token: 'planted-hec-token-5ec7e7ed', searchToken: 'planted-search-token-5ec7e7ed' } }, 512 + Math.ceil(minutes * 40)) // oxfmt-ignore
try {
  const dataDir = join(folder, 'data')
  const file = join(folder, 'proofline.yaml')
  const search = { url: siem.searchUrl, token: 'planted-search-token-5ec7e7ed', lag_ms: 1_000 }
  await writeFile(file, JSON.stringify({ destinations: { siem: { type: 'splunk', url: siem.url, token: 'planted-hec-token-5ec7e7ed', search } } })) // oxfmt-ignore
  const service = await startServe({
    dataDir,
    args: ['--config', file],
    env: { PROOFLINE_TELEMETRY_LOG: 'json', NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] ?? '' },
  })
  const cli = (...args: string[]) => runCli(args, { env: cleanEnvironment(dataDir, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }) }) // oxfmt-ignore
  const load = createLoad(service, meter, random)
  await load.prepare()
  await sleep(5_000)
  const idle = readProcess(service.pid, 0)
  say(`${minutes} minutes, seed ${seed}; load of the machine ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores; idle ${idle?.memory.toFixed(0)} MB, ${idle?.descriptors} descriptors`) // oxfmt-ignore

  const end = elapsed() + minutes * 60_000
  const repeat = async (pauseMs: number, work: () => Promise<unknown>): Promise<void> => {
    while (elapsed() < end) {
      await work()
      await sleep(pauseMs * (0.5 + random()))
    }
  }
  const readings: Reading[] = []
  const watch = async (): Promise<void> => {
    for (let next = 0; elapsed() < end; await sleep(2_000)) {
      const reading = readProcess(service.pid, elapsed())
      if (reading !== undefined) readings.push(reading)
      if (elapsed() < next) continue
      next = elapsed() + 60_000
      say(`${reading?.memory.toFixed(0)} MB, ${reading?.descriptors} descriptors, ${load.pulled()} records pulled, ${meter.faults().length} kinds of faults`) // oxfmt-ignore
    }
  }
  await siem.misbehave(0.05, seed)
  await Promise.all([
    repeat(300, load.push),
    repeat(300, load.push),
    ...(['unit', 'integration', 'changes', 'operations'] as const).map((ledger) =>
      repeat(500, () => load.pull(ledger)),
    ),
    repeat(150, load.ask),
    repeat(150, load.ask),
    repeat(400, () => meterGarbage(service, meter, random)),
    repeat(400, () => meterGarbage(service, meter, random)),
    watch(),
  ])
  await siem.behave()

  const judged = judge(readings)
  check('memory and descriptors are flat', judged.grew.length === 0, judged.grew.join(', ') || `${judged.memory.early.toFixed(0)} to ${judged.memory.late.toFixed(0)} MB, ${judged.descriptors.early} to ${judged.descriptors.late} descriptors`) // oxfmt-ignore

  const lanesBehind = async (): Promise<string[]> => {
    const { body } = await ask(service, '/v1/destinations')
    const [siemNow] = body['destinations'] as { ledgers: { ledger: string; proved_to: number; published: number }[] }[]
    return (siemNow?.ledgers ?? []).filter((lane) => lane.proved_to < lane.published && lane.ledger !== 'main/operations').map((lane) => JSON.stringify(lane)) // oxfmt-ignore
  }
  let behind = await lanesBehind()
  for (const until = elapsed() + 600_000; behind.length > 0 && elapsed() < until; behind = await lanesBehind()) await sleep(1_000) // oxfmt-ignore
  check('everything is delivered and acknowledged', behind.length === 0, behind.join(' '))

  const { held } = await siem.report()
  const copies = new Map(held.map(([id, , many]) => [id, many]))
  const totals: string[] = []
  for (const ledger of ['unit', 'integration', 'changes'] as const) {
    const { body } = await ask(service, `/v1/feed/${ledger}?cursor=latest&limit=1`)
    const published = Number(body['published'])
    const there = [...copies].filter(([id]) => id.startsWith(`main.${ledger}-`))
    const twice = there.filter(([, many]) => many !== 1).length
    check(`${ledger}: the destination holds each record once`, there.length === published && twice === 0, `${there.length} of ${published}, ${twice} more than once`) // oxfmt-ignore
    totals.push(`${ledger} ${published}`)
  }

  // What clients let go is let go of: keep-alive ends after 65 s.
  let after = readProcess(service.pid, elapsed())
  const most = (idle?.descriptors ?? 0) + 32
  for (const until = elapsed() + 120_000; (after?.descriptors ?? 0) > most && elapsed() < until; after = readProcess(service.pid, elapsed())) await sleep(2_000) // oxfmt-ignore
  check('descriptors come back', (after?.descriptors ?? Infinity) <= most, `${idle?.descriptors} idle, ${after?.descriptors} after`) // oxfmt-ignore

  const verified = await cli('verify', service.url, '--data-dir', dataDir)
  check('the log verifies over HTTP', verified.code === 0, verified.code === 0 ? '' : verified.stdout + verified.stderr)
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'soak.log'), service.log())
  const logged = service.log().split('\n')
  // Of a destination that fails by design it is right to tell; of a log that does not verify it never is.
  const isFault = (line: string): boolean => line.includes('"level":"error"') && (!line.includes('"alert.opened"') || line.includes('"critical"')) // oxfmt-ignore
  const errors = logged.filter(isFault)
  check('the service logged no error', errors.length === 0, errors.slice(0, 5).join('\n'))
  const alerts = new Set(logged.flatMap((line) => /"alert\.opened","alert":"([^"]+)"/.exec(line)?.[1] ?? []))
  say(`alerts that were opened: ${[...alerts].join(', ') || 'none'}`)
  service.signal('SIGTERM')
  const code = await Promise.race([service.ended, sleep(60_000, 'it runs on', { ref: false })])
  if (code === 'it runs on') service.signal('SIGKILL')
  check('it stops when told to', code === 0, String(code))
  const audited = await cli('verify', '--database', '--data-dir', dataDir)
  check('the database verifies', audited.code === 0, audited.code === 0 ? totals.join(', ') : audited.stdout + audited.stderr) // oxfmt-ignore

  const latencies = meter.latencies().toSorted((a, b) => a.kind.localeCompare(b.kind))
  console.log(`\n${'ms'.padEnd(36)}${'count'.padStart(8)}${'p50'.padStart(9)}${'p99'.padStart(9)}${'max'.padStart(9)}${'busy'.padStart(7)}`) // oxfmt-ignore
  for (const { kind, count, p50, p99, max, busy } of latencies)
    console.log(`${kind.padEnd(36)}${String(count).padStart(8)}${[p50, p99, max].map((ms) => ms.toFixed(1).padStart(9)).join('')}${String(busy).padStart(7)}`) // oxfmt-ignore
  const faults = meter.faults()
  console.log(`\n${minutes} minutes, seed ${seed}: ${load.pulled()} records; ${faults.length === 0 ? 'nothing wrong' : 'WRONG:'}`) // oxfmt-ignore
  for (const { what, count, first } of faults) console.log(`${what} (${count} times)\n  ${first.join('\n  ')}`)
  await writeFile(
    join(results, 'soak.json'),
    JSON.stringify({ minutes, seed, idle, judged, readings, latencies, faults }),
  )
  process.exitCode = faults.length === 0 ? 0 : 1
} finally {
  await siem.stop()
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}
