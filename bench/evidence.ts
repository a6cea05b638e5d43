import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { verifyPack } from '../src/commands/verify-pack.ts'
import { parseVkey } from '../src/log/vkey.ts'
import { type Check, type Figure, median, printNumber } from './figure.ts'
import { createReports, pathOf } from './reports.ts'
import { type BenchService, vkeyOf } from './service.ts'

/**
 * A year of one repository, pushed run by run, and the packs an auditor asks of it: one line, and everything. From the request to the last
 * byte; then what the offline verification takes. Only the number of runs counts for one line, so the files of a run are few here.
 */
export interface YearSettings {
  runs: number
  filesPerRun: number
  rounds: number
}

const lanes = 4
const repository = 'github.com/acme/year'

export async function measureEvidence(
  service: BenchService,
  { runs, filesPerRun, rounds }: YearSettings,
  check: Check,
): Promise<Figure[]> {
  await Promise.all(Array.from({ length: lanes }, (_, lane) => pushLane(service, lane, runs / lanes, filesPerRun)))
  const folder = await mkdtemp(join(tmpdir(), 'proofline-bench-pack-'))
  try {
    const ledgers = ['main/unit', 'main/integration', 'main/changes', 'main/operations']
    const keys = (await Promise.all(ledgers.map((ledger) => vkeyOf(service.dataDir, ledger)))).map(parseVkey)
    const verify = async (name: string, pack: Buffer): Promise<number> => {
      const path = join(folder, name)
      await writeFile(path, pack)
      const began = performance.now()
      const checks = await verifyPack(path, { keys }, undefined)
      const wrong = checks.filter(({ verdict }) => verdict !== 'ok')
      check(`${name} verifies`, wrong.length === 0, wrong.map((one) => `${one.check}: ${one.detail}`).join('; '))
      return (performance.now() - began) / 1000
    }
    await caughtUp(service)
    const line = { repository, path: pathOf(1), lines: '12', sample: 0 }
    const lineSeconds: number[] = []
    let linePack: Buffer = Buffer.alloc(0)
    for (let round = 0; round < rounds; round++) {
      const began = performance.now()
      linePack = await fetchPack(service, line)
      lineSeconds.push((performance.now() - began) / 1000)
    }
    const lineVerified = await verify('line.zip', linePack)
    const began = performance.now()
    const whole = await fetchPack(service, { sample: 25 })
    const wholeSeconds = (performance.now() - began) / 1000
    const wholeVerified = await verify('whole.zip', whole)
    const mb = (bytes: Buffer): string => `${printNumber(bytes.length / 1e6)} MB`
    return [
      {
        what: 'evidence pack for one line', unit: 's', measured: median(lineSeconds), target: 2, better: 'less', runs: lineSeconds,
        note: `${printNumber(runs)} runs of ${filesPerRun} files; ${mb(linePack)}, verified offline in ${lineVerified.toFixed(2)} s; all of it, 25 runs whole: ${wholeSeconds.toFixed(1)} s, ${mb(whole)}, verified in ${wholeVerified.toFixed(1)} s`,
        limit: 'reading the rows of the runs, the ids of their records, and compressing the rows',
      },
    ] // oxfmt-ignore
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function pushLane(service: BenchService, lane: number, runs: number, files: number): Promise<void> {
  const report = createReports(files, 500 + lane)
  for (let i = 0; i < runs; i++) {
    const query = new URLSearchParams({
      run: `year.${i}.lane${lane}.unit`,
      name: 'lcov.info',
      repository,
      test_type: 'unit',
      suite: `lane${lane}`,
      commit: (i >> 3).toString(16).padStart(40, '0'),
      ref: 'refs/heads/main',
      tests: '3,3,0,0',
    })
    await service.call('POST', `/v1/push?${query.toString()}`, report())
  }
}

/** Until the history has come after the ledger: a pack waits for that, and it is not what is measured. */
async function caughtUp(service: BenchService): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await ask(service, { repository, path: pathOf(1), sample: 0 })
    await answer.body.dump()
    if (answer.statusCode === 200) return
    await sleep(1_000)
  }
  throw new Error('the history does not come after the ledger')
}

async function fetchPack(service: BenchService, question: object): Promise<Buffer> {
  const answer = await ask(service, question)
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${await answer.body.text()}`)
  return Buffer.from(await answer.body.arrayBuffer())
}

const ask = (service: BenchService, question: object) =>
  request(`${service.url}/v1/evidence`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: '2020-01-01T00:00:00Z', ...question }),
    bodyTimeout: 0,
    headersTimeout: 0,
  })
