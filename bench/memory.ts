import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { pushRun } from '../test/support/service.ts'
import { type Check, type Figure, median, printNumber, skipped } from './figure.ts'
import { forgetPeak, memoryOf } from './proc.ts'
import { largeReport, lcovSection } from './reports.ts'
import { type BenchService, declareRun, sealRun } from './service.ts'

/**
 * A very large report streams in, made up on the way, while small ones are pushed beside it and somebody asks whether the service is well.
 * Memory is the resident set of the service's process, all threads; PostgreSQL is another process.
 */
export async function measureMemory(service: BenchService, bytes: number, check: Check): Promise<Figure[]> {
  const what = `memory above idle while ${printNumber(bytes / 1e6)} MB stream in`
  await warmUp(service)
  const idle = memoryOf(service.pid)
  if (idle === undefined) return [skipped(what, 'MB', 400, 'less', 'only Linux tells the memory of a process')]
  forgetPeak(service.pid)
  await service.probe()

  const run = 'bench.large.memory.unit'
  const commit = createHash('sha1').update('large').digest('hex')
  await declareRun(service, { run, repository: 'github.com/acme/monolith', suite: 'memory', commit, testType: 'unit' })
  let over = false
  const beside = pushBeside(service, () => over, check)
  const asking = askBeside(service, () => over)
  const made = { bytes: 0, files: 0 }
  const began = performance.now()
  const receipt = await upload(service, `/v1/runs/${run}/parts?name=lcov.info`, largeReport(bytes, made))
  const seconds = (performance.now() - began) / 1000
  over = true
  const pushes = await beside
  const answers = await asking
  await sealRun(service, run)
  const peak = memoryOf(service.pid)?.peak ?? Number.NaN
  const { maxMs, p99Ms } = await service.probe()
  const { files, bytes: received } = receipt as { files: number; bytes: number }
  check(
    'the large report was taken whole',
    received === made.bytes && files === made.files,
    `${files} of ${made.files} files, ${received} of ${made.bytes} bytes`,
  )

  const size = `${printNumber(bytes / 1e6)} MB in ${seconds.toFixed(1)} s (${printNumber(bytes / 1e6 / seconds)} MB/s), ${printNumber(files)} files of 400 distinct lines each`
  const others =
    'the appends of large slices, hashed and sent to PostgreSQL on the thread of HTTP, collections of garbage, and two cores for everything'
  return [
    {
      what, unit: 'MB', measured: peak - idle.now, target: 400, better: 'less', runs: [peak - idle.now],
      note: `${size}; idle ${printNumber(idle.now)} MB, peak ${printNumber(peak)} MB`, limit: "what the parser keeps for each distinct line, branch and function; segments under way; garbage not yet collected",
      detail: { idle: idle.now, peak, seconds },
    },
    {
      what: 'a small push beside it, slowest', unit: 's', measured: Math.max(...pushes) / 1000, target: 1, better: 'less', runs: pushes.map((ms) => ms / 1000),
      note: `${pushes.length} pushes, median ${printNumber(median(pushes))} ms`, limit: others,
    },
    {
      what: 'HTTP thread held, longest', unit: 'ms', measured: maxMs, target: 50, better: 'less', runs: [maxMs],
      note: `99th percentile ${printNumber(p99Ms)} ms; /healthz took ${printNumber(median(answers))} ms, at most ${printNumber(Math.max(...answers))} ms, of ${answers.length}`,
      limit: others,
    },
  ] // oxfmt-ignore
}

/** A few small pushes, so that idle memory is that of a service which has been at work. */
async function warmUp(service: BenchService): Promise<void> {
  for (let i = 0; i < 5; i++) await pushRun(service, `bench.warm-${i}.api.unit`, smallReport(i))
  await sleep(500)
}

const smallReport = (seed: number): string =>
  `TN:\n${[1, 2, 3].map((file) => lcovSection(`src/small${file}.ts`, seed * 3 + file)).join('')}`

async function pushBeside(service: BenchService, over: () => boolean, check: Check): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; !over() || i === 0; i++) {
    const began = performance.now()
    const { status, body } = await pushRun(service, `bench.beside-${i}.api.unit`, smallReport(100 + i))
    times.push(performance.now() - began)
    check('a small push beside a large one is recorded', status === 201, JSON.stringify(body).slice(0, 300))
    await sleep(100)
  }
  return times
}

async function askBeside(service: BenchService, over: () => boolean): Promise<number[]> {
  const times: number[] = []
  while (!over() || times.length === 0) {
    const began = performance.now()
    await service.call('GET', '/healthz')
    times.push(performance.now() - began)
    await sleep(20)
  }
  return times
}

/** Chunked upload of what is made while it is sent. */
function upload(service: BenchService, path: string, chunks: Iterable<Buffer>): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const sending = httpRequest(
      `${service.url}${path}`,
      { method: 'PUT', headers: { authorization: `Bearer ${service.token}` } },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => (text += part))
        answer.on('end', () => {
          if (answer.statusCode === 201) resolve(JSON.parse(text) as Record<string, unknown>)
          else reject(new Error(`PUT ${path}: ${answer.statusCode} ${text.slice(0, 500)}`))
        })
      },
    )
    sending.on('error', reject)
    Readable.from(chunks, { objectMode: false }).pipe(sending)
  })
}
