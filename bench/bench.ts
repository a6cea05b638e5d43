import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figure, median, printFigures, ratioOf } from './figure.ts'
import { measureDoubt } from './doubt.ts'
import { measureEvidence } from './evidence.ts'
import { measureFeed } from './feed.ts'
import { measureForwarding } from './forward.ts'
import { printYardstick, takeYardstick } from './machine.ts'
import { measureHistory } from './history.ts'
import { measureLineage } from './lineage.ts'
import { measureMemory } from './memory.ts'
import { measureParsing } from './parse.ts'
import { measureRecording } from './record.ts'
import { cleanUp, makeDataDir, startService } from './service.ts'
import { measureStorage } from './storage.ts'
import { measureVerifying } from './verify.ts'

/**
 * `npm run bench`: the figures of DESIGN.md section 16, medians of several runs, as ratios where both sides can be measured. `-- --quick` is
 * everything at a smaller size in under two minutes; `-- --only record,feed` some of it. Fails only when something is wrong, never for being slow.
 */

const quick = process.argv.includes('--quick')
const only = process.argv[process.argv.indexOf('--only') + 1]?.split(',')
const wanted = (name: string): boolean => !process.argv.includes('--only') || only?.includes(name) === true

const wrong: string[] = []
const check = (what: string, right: boolean, detail = ''): void => {
  if (!right) wrong.push(`${what}: ${detail}`)
}
const began = performance.now()
const say = (line: string): void =>
  console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}`)

const before = takeYardstick()
const figures: Figure[] = []
const starts: { first: number[]; next: number[] } = { first: [], next: [] }

async function start(dataDir: string, which: 'first' | 'next') {
  const service = await startService(dataDir)
  starts[which].push(service.startSeconds)
  return service
}

/** Measures one thing; when that fails, it is wrong, and the others are measured all the same. */
async function measure(name: string, doing: string, work: () => Promise<Figure | Figure[]>): Promise<void> {
  say(doing)
  try {
    figures.push(...[await work()].flat())
  } catch (error) {
    wrong.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
}

/** One service: parsing aside, everything that wants a ledger with many records in it. */
async function measureLedger(): Promise<void> {
  const service = await start(await makeDataDir(), 'first')
  const size = { filesPerRun: 2_000, ...(quick ? { rounds: 3, runsPerLane: 5 } : { rounds: 5, runsPerLane: 24 }) }
  await measure('record', 'pushing, and copying the same', () => measureRecording(service, size, check))
  if (wanted('feed')) await measure('feed', 'pulling the feed', () => measureFeed(service, quick ? 3 : 7, check))
  if (wanted('verify')) await measure('verify', 'verifying', () => measureVerifying(service, quick ? 3 : 5, check))
  if (wanted('forward'))
    await measure('forward', 'forwarding', () =>
      measureForwarding(service, quick ? { passes: 2, runs: 50 } : { passes: 3, runs: 1_000 }, check),
    )
  if (wanted('forward')) await measure('doubt', 'resolving what is in doubt', () => measureDoubt(service, check))
  await service.stop()
  await (await start(service.dataDir, 'next')).stop()
}

/** Another service: what is stored of a real year, then, started anew, a very large report. */
async function measureSizes(): Promise<void> {
  const service = await start(await makeDataDir(), 'first')
  if (wanted('storage'))
    await measure('storage', 'storing a real year', () => measureStorage(service, quick ? 2 : 8, check))
  await service.stop()
  const again = await start(service.dataDir, 'next')
  const bytes = quick ? 100e6 : 500e6
  if (wanted('memory'))
    await measure('memory', 'streaming a very large report', () => measureMemory(again, bytes, check))
  await again.stop()
}

/** A service of its own: a year of many small runs. */
async function measureYear(): Promise<void> {
  const service = await start(await makeDataDir(), 'first')
  const year = quick ? { runs: 800, filesPerRun: 50, rounds: 3 } : { runs: 18_000, filesPerRun: 50, rounds: 5 }
  await measure('evidence', 'packing the evidence of a year', () => measureEvidence(service, year, check))
  await service.stop()
}

/**
 * A service of its own, for its database: a year of one large repository. With `--year FOLDER` it stays there and is only asked the next time;
 * `--rebuild` then also measures the projection again.
 */
async function measureLines(): Promise<void> {
  const folder = process.argv.includes('--year') ? process.argv[process.argv.indexOf('--year') + 1] : undefined
  if (folder !== undefined) await mkdir(folder, { recursive: true })
  const kept =
    folder === undefined ? undefined : { file: join(folder, 'year.json'), rebuild: process.argv.includes('--rebuild') }
  const isThere = kept !== undefined && existsSync(kept.file)
  const service = await start(
    folder === undefined ? await makeDataDir() : join(folder, 'data'),
    isThere ? 'next' : 'first',
  )
  const year = quick
    ? { runs: 240, files: 300, small: 10, questions: 100 }
    : { runs: 18_000, files: 2_000, small: 50, questions: 200 }
  await measure('history', 'recording a year, and asking', async () => [
    ...(await measureHistory(service, year, kept, check)),
    ...(await measureLineage(service, year.questions, check)),
  ])
  await service.stop()
}

for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(name, () => void cleanUp().finally(() => process.exit(code)))
try {
  if (wanted('parse')) await measure('parse', 'parsing', () => measureParsing(quick ? 1 : 5, check))
  if (['record', 'feed', 'verify', 'forward'].some(wanted)) await measureLedger()
  if (['storage', 'memory'].some(wanted)) await measureSizes()
  if (wanted('evidence')) await measureYear()
  if (wanted('history')) await measureLines()
  for (const [which, target] of [
    ['first', 10],
    ['next', 3],
  ] as const) {
    const runs = starts[which]
    if (runs.length === 0) continue
    const note =
      which === 'first'
        ? 'from the process to listening: initdb, migrations, keys, first token'
        : 'the same folder again, after a clean stop'
    figures.push({
      what: `${which} start with the embedded database`,
      unit: 's',
      measured: median(runs),
      target,
      better: 'less',
      runs,
      note,
    })
  }
} finally {
  await cleanUp()
}

const after = takeYardstick()
console.log(`${printYardstick(before, after)}\n${printFigures(figures)}`)
const folder = fileURLToPath(new URL('./results', import.meta.url))
const taken = new Date().toISOString()
const machine = {
  cpu: cpus()[0]?.model ?? '',
  cores: availableParallelism(),
  memoryMb: Math.round(totalmem() / 1e6),
  os: `${process.platform} ${release()} ${arch()}`,
  node: process.version,
  before,
  after,
}
await mkdir(folder, { recursive: true })
const file = `${folder}/${taken.replaceAll(':', '-')}.json`
await writeFile(
  file,
  `${JSON.stringify({ schema: 'proofline.bench.v1', taken, quick, seconds: (performance.now() - began) / 1000, machine, wrong, figures: figures.map((figure) => ({ ...figure, ratio: ratioOf(figure) })) }, undefined, 1)}\n`,
)
say(`written to ${file}`)
for (const line of wrong) console.error(`WRONG  ${line}`)
process.exitCode = wrong.length === 0 ? 0 : 1
