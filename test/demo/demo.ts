import { createHash, hash } from 'node:crypto'
import { spawn, execFileSync } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openRecord, parseRecordId } from '../../src/record/record.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { startFakeHec } from '../support/hec.ts'
import { cleanEnvironment, runCli, startServe } from '../support/service.ts'
import { type PushedSuite, askQuestions } from './questions.ts'

/**
 * `npm run demo`: the main job end to end on real reports. Pushes what real tools measured of three small programs and of this project's own
 * tests, one of them twice and one that is broken; delivers to a local Splunk and a local Elastic, of which each drops the connection once
 * after storing; asks for the report, a gate, a difference and where a record comes from; pulls the feed, verifies the log, and compares counts and digests on all four sides. Exit 0 only if everything agrees.
 */

const project = fileURLToPath(new URL('../..', import.meta.url))
const began = performance.now()
const failures: string[] = []
const say = (line: string): void =>
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${line}`)
const check = (what: string, agrees: boolean, detail = ''): void => {
  if (!agrees) failures.push(`${what} ${detail}`)
  say(`${agrees ? 'ok  ' : 'FAIL'}  ${what}${detail === '' ? '' : `: ${detail}`}`)
}

/** This project's own tests, measured by vitest with Istanbul: a report as CI would have it. */
async function measureOwnTests(folder: string): Promise<void> {
  const args = [
    'run',
    '--root',
    project,
    '--project',
    'pure',
    'test/record',
    'test/log',
    '--coverage.enabled',
    '--coverage.provider=istanbul',
  ]
  const reports = [
    '--coverage.reporter=json',
    `--coverage.reportsDirectory=${folder}`,
    '--reporter=junit',
    `--outputFile=${join(folder, 'junit.xml')}`,
  ]
  const child = spawn(process.execPath, [join(project, 'node_modules/vitest/vitest.mjs'), ...args, ...reports], {
    stdio: 'ignore',
  })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  check('own tests are measured by vitest', code === 0)
}

/** A git checkout with the measured programs and this project's source: what `push` finds on a CI machine. */
async function makeCheckout(folder: string): Promise<void> {
  for (const name of ['src', 'test']) await cp(join(project, name), join(folder, name), { recursive: true })
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-c', 'user.name=demo', '-c', 'user.email=demo@example.com', ...args], { cwd: folder })
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('commit', '-q', '-m', 'The measured programs')
  git('remote', 'add', 'origin', 'https://github.com/acme/demo.git')
}

const folder = await mkdtemp(join(tmpdir(), 'proofline-demo-'))
const checkout = join(folder, 'checkout')
const dataDir = join(folder, 'data')
const hec = await startFakeHec({ keep: 'bytes' })
const bulk = await startFakeBulk({ keep: 'bytes' })
hec.failNext('drop-after-storing')
bulk.failNext('drop-after-storing')
const quick = { window_ms: 100, look_delays_ms: [200, 500, 1000], retry_delays_ms: [200, 500, 1000] }
const destinations = {
  splunk: {
    type: 'splunk',
    url: hec.url,
    token: hec.token,
    proof: 'search',
    search: { url: hec.searchUrl, token: hec.searchToken, lag_ms: 500 },
    ...quick,
  },
  elastic: { type: 'elastic', url: bulk.url, api_key: bulk.apiKey, ...quick },
}
await writeFile(join(folder, 'proofline.yaml'), JSON.stringify({ destinations }), { mode: 0o600 }) // JSON is YAML
const measuring = measureOwnTests(join(folder, 'own'))
await makeCheckout(checkout)
const service = await startServe({ dataDir, args: ['--config', join(folder, 'proofline.yaml')] })
say(`service at ${service.url}, Splunk at ${hec.url}, Elastic at ${bulk.url}`)

try {
  const env = cleanEnvironment(dataDir, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token })
  const push = (...args: string[]) => runCli(['push', '--json', ...args], { cwd: checkout, env })
  const fixture = (name: string): string => `test/fixtures/${name}`

  let lines = 0
  const pushed: PushedSuite[] = []
  for (const [program, file] of [
    ['refund', 'coverage-final.json'],
    ['ring', 'lcov.info'],
    ['greet', 'lcov.info'],
  ] as const) {
    for (const type of ['unit', 'integration']) {
      const report = fixture(`${program}/${type}/${file}`)
      const root = program === 'refund' ? ['--root', '/builds/acme/app'] : []
      const answer = await push(
        report,
        '--test-type',
        type,
        '--suite',
        program,
        '--junit',
        fixture(`${program}/${type}/junit.xml`),
        '--build',
        'demo-1',
        ...root,
      )
      const receipt = answer.code === 0 ? JSON.parse(answer.stdout) : undefined
      const counts = receipt?.seal.totals[0]?.lines
      lines += counts?.found ?? 0
      if (counts !== undefined) pushed.push(suiteOf(type, program, counts))
      check(
        `${program} ${type}`,
        receipt?.seal.admitted === true,
        receipt === undefined
          ? answer.stdout + answer.stderr
          : `${counts.covered + counts.partial} of ${counts.found} lines executed, ${receipt.seal.tests.total} tests`,
      )
    }
  }
  await measuring
  const own = await push(
    join(folder, 'own/coverage-final.json'),
    '--test-type',
    'unit',
    '--suite',
    'proofline',
    '--root',
    project.replace(/\/$/, ''),
    '--junit',
    join(folder, 'own/junit.xml'),
    '--build',
    'demo-1',
  )
  const ownReceipt = own.code === 0 ? JSON.parse(own.stdout) : undefined
  check(
    'proofline unit',
    ownReceipt?.seal.admitted === true && ownReceipt.parts[0].unresolved.count === 0,
    ownReceipt === undefined
      ? own.stdout + own.stderr
      : `${ownReceipt.seal.totals[0].lines.found} lines in ${ownReceipt.parts[0].files} files`,
  )

  if (ownReceipt !== undefined) pushed.push(suiteOf('unit', 'proofline', ownReceipt.seal.totals[0].lines))

  const again = [
    'push',
    '--json',
    fixture('ring/unit/lcov.info'),
    '--test-type',
    'unit',
    '--suite',
    'ring',
    '--junit',
    fixture('ring/unit/junit.xml'),
    '--build',
    'demo-1',
  ]
  const [first, second] = [await runCli(again, { cwd: checkout, env }), await runCli(again, { cwd: checkout, env })]
  check('pushed again: the same receipt', first.stdout === second.stdout && JSON.parse(second.stdout).repeated === true)
  await writeFile(join(checkout, 'broken.info'), 'this is no coverage report\n')
  const broken = await push('broken.info', '--test-type', 'unit', '--tests', '1,1,0,0')
  check('a broken report is refused', broken.code === 1 && broken.stdout.includes('report_unrecognized'))
  await runCli([...again, '--receipt', join(folder, 'receipt.json')], { cwd: checkout, env })
  const receiptVerified = await runCli(['verify', join(folder, 'receipt.json'), '--data-dir', dataDir], {
    cwd: checkout,
    env,
  })
  check('the receipt verifies offline', receiptVerified.code === 0)

  await askQuestions({ cli: (...args) => runCli(args, { cwd: checkout, env }), check, checkout, pushed })

  // The feed is the first side; the others must have exactly these records.
  const feed = new Map<string, string>()
  const ends = new Map<string, number>()
  const kinds = new Map<string, number>()
  for (const ledger of ['unit', 'integration', 'changes', 'operations']) {
    const pulled = await runCli(['feed', ledger, '--after', '-1'], { cwd: checkout, env })
    for (const line of pulled.stdout.split('\n').filter(Boolean)) {
      const { id, ledger: of, seq, fields } = openRecord(Buffer.from(line))
      ends.set(of, seq + 1)
      feed.set(id, hash('sha256', line, 'hex'))
      kinds.set(String(fields['kind']), (kinds.get(String(fields['kind'])) ?? 0) + 1)
    }
  }
  check('the refusal is on record', kinds.get('rejection') === 1)
  // Heartbeats and uses of the service are recorded at any time: what came after the feed was pulled is not compared.
  const pulledOf = (ids: readonly string[]): string[] => ids.filter((id) => isPulled(id, ends))
  for (
    const end = performance.now() + 20_000;
    performance.now() < end && (pulledOf(hec.ids()).length < feed.size || pulledOf(bulk.ids()).length < feed.size);
  ) {
    await new Promise((done) => setTimeout(done, 100))
  }
  const status = JSON.parse((await runCli(['status', '--json'], { cwd: checkout, env })).stdout)
  const metrics = await (await fetch(`${service.url}/metrics`)).text()
  check(
    'metrics tell the generation',
    metrics.includes(`proofline_generation{schema_version="1"} ${status.generation}`),
    String(status.generation),
  )
  const overHttp = await runCli(['verify', '--json', '--data-dir', dataDir], { cwd: checkout, env })
  const sizes: { size?: number }[] = overHttp.code === 0 ? JSON.parse(overHttp.stdout).checks : []
  const published = sizes.reduce((sum, { size = 0 }) => sum + size, 0)
  const isWhole = overHttp.code === 0 && published >= feed.size
  check('every published record verifies over HTTP', isWhole, `${published} records`)
  const pulled = [...ends.values()].reduce((sum, end) => sum + end, 0)
  service.signal('SIGINT')
  check(
    'the service stops cleanly',
    (await service.ended) === 0,
    service.log().includes('worker.failed') ? 'a worker failed' : '',
  )
  const verified = await runCli(['verify', '--database', '--data-dir', dataDir, '--json'], {
    cwd: folder,
    env: cleanEnvironment(dataDir),
  })
  check('every record of the database verifies, without the service', verified.code === 0)

  const digestOf = (entries: Iterable<readonly [string, string | undefined]>): string => {
    const digest = createHash('sha256')
    for (const [id, sha256] of [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) digest.update(`${id} ${sha256}\n`)
    return digest.digest('hex').slice(0, 16)
  }
  const sides = [
    ['ledger', pulled, '(roots, by verify)'],
    ['feed', feed.size, digestOf(feed)],
    ['Splunk', pulledOf(hec.ids()).length, digestOf(pulledOf(hec.ids()).map((id) => [id, hec.digest(id)] as const))],
    [
      'Elastic',
      pulledOf(bulk.ids()).length,
      digestOf(pulledOf(bulk.ids()).map((id) => [id, bulk.digest(id)] as const)),
    ],
  ] as const
  const duplicates = [
    ...hec.ids().filter((id) => hec.copies(id) > 1),
    ...bulk.ids().filter((id) => bulk.copies(id) > 1),
  ]
  console.log('\nside      records  sha256 over ids and record digests')
  for (const [side, count, digest] of sides) console.log(`${side.padEnd(8)}  ${String(count).padStart(7)}  ${digest}`)
  console.log(
    `kinds     ${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')}; ${lines} lines of three programs\n`,
  )
  check('four sides have the same records', new Set(sides.map(([, count]) => count)).size === 1)
  check(
    'feed, Splunk and Elastic have the same bytes',
    new Set(sides.slice(1).map(([, , digest]) => digest)).size === 1,
  )
  check(
    'nothing arrived twice, though each dropped a connection after storing',
    duplicates.length === 0,
    duplicates.join(' '),
  )
} catch (error) {
  failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
} finally {
  service.signal('SIGKILL')
  await service.ended
  await Promise.all([hec.close(), bulk.close()])
  if (failures.length > 0) console.error(`\n${failures.join('\n')}\n\nThe service said:\n${service.log()}`)
  await rm(folder, { recursive: true, force: true })
}
function suiteOf(
  testType: string,
  suite: string,
  { found, covered, partial }: { found: number; covered: number; partial: number },
): PushedSuite {
  return { testType, suite, found, executed: covered + partial }
}
function isPulled(id: string, ends: ReadonlyMap<string, number>): boolean {
  const parsed = parseRecordId(id)
  return parsed !== undefined && parsed.seq < (ends.get(parsed.ledger) ?? 0)
}

console.log(failures.length === 0 ? 'All numbers agree.' : `${failures.length} checks failed.`)
process.exitCode = failures.length === 0 ? 0 : 1
