import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { anLcov, pushRun, startServe } from '../support/service.ts'
import { checkFsck, checkTlog, waitForCopy } from './fsck.ts'
import { buildGoWitness, checkGoWitness } from './go-witness.ts'
import { buildReceiver, checkHec } from './hec.ts'
import { buildOpenSearch, checkOpenSearch, openSearchVersions } from './opensearch.ts'
import { checkPullers, findMito } from './pullers.ts'
import { checkS3 } from './s3.ts'
import { createToken, fewer, installSchemathesis, runSchemathesis } from './schemathesis.ts'

/**
 * `npm run conformance`: our log against other people's software, where this machine has it or can install it by name, and the long forms
 * of the stories. Says what it skipped and why; exits 1 when anything that ran disagrees. `-- --only fsck,schemathesis,s3,opensearch,hec,go-witness,pullers,soak,long` for some of it.
 */

const project = fileURLToPath(new URL('../..', import.meta.url))
const chosen = process.argv.includes('--only')
  ? process.argv[process.argv.indexOf('--only') + 1]?.split(',')
  : undefined
const results: { what: string; verdict: 'ok' | 'FAILED' | 'skipped'; detail: string }[] = []
const report = (what: string, verdict: 'ok' | 'FAILED' | 'skipped', detail = ''): void => {
  results.push({ what, verdict, detail })
  console.log(`${verdict.padEnd(8)} ${what}${detail === '' ? '' : `: ${detail}`}`)
}
const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
const wanted = (name: string): boolean => chosen === undefined || chosen.includes(name)

const folder = await mkdtemp(join(tmpdir(), 'proofline-conformance-'))
// Tools are kept between runs: building one takes minutes.
const tools = join(tmpdir(), 'proofline-conformance-tools')
await mkdir(tools, { recursive: true })

/** Builds a Go program by the name of its module; undefined when there is no Go or it cannot be had. */
function goInstall(name: string, module: string): string | undefined {
  const path = join(tools, name)
  if (existsSync(path)) return path
  if (!has('go')) return undefined
  const built = spawnSync('go', ['install', module], {
    env: { ...process.env, GOBIN: tools, GOFLAGS: '-mod=mod' },
    timeout: 600_000,
  })
  return built.status === 0 ? path : undefined
}

/** A ledger large enough for two tile levels, served with its log open. */
async function withLedger(
  work: (service: { url: string; token: string; dataDir: string }) => Promise<void>,
): Promise<void> {
  const dataDir = join(folder, 'data')
  const service = await startServe({
    dataDir,
    env: {
      PROOFLINE_LOG_PUBLIC: 'true',
      PROOFLINE_PUBLISH_FOLDER: join(folder, 'published'),
      PROOFLINE_PUBLISH_EVERY_MS: '1000',
      // schemathesis sends thousands of requests a minute, most of them wrong, and takes 429 and 414 for answers to what is wrong with them.
      PROOFLINE_HTTP_LIMITS_REFUSALS_PER_MINUTE: '1000000',
      PROOFLINE_HTTP_LIMITS_REQUESTS_PER_MINUTE: '1000000',
      PROOFLINE_HTTP_LIMITS_OPEN_REQUESTS_PER_MINUTE: '1000000',
      PROOFLINE_HTTP_LIMITS_URL_BYTES: '120000',
      PROOFLINE_HTTP_LIMITS_HEADER_BYTES: '131072',
    },
  })
  try {
    const commit = '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b'
    const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
    const run = 'local.conformance.api.unit'
    const put = async (path: string, body: string): Promise<void> => {
      const answer = await fetch(`${service.url}/v1/runs/${run}${path}`, { method: 'PUT', headers, body })
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    }
    await put('', JSON.stringify({ repository: 'github.com/acme/payments', test_type: 'unit', suite: 'api', commit }))
    await put('/parts?name=lcov.info', anLcov(1, 70_000, 4)) // 65,536 leaves fill a tile of level 1
    await put('/seal', JSON.stringify({ outcome: 'completed', tests: { total: 1, passed: 1, failed: 0, skipped: 0 } }))
    await pushRun(service, 'local.conformance.api.integration', anLcov(2))
    await work({ ...service, dataDir })
  } finally {
    service.signal('SIGTERM')
    await service.ended
  }
}

if (wanted('fsck') || wanted('schemathesis')) {
  await withLedger(async ({ url, token, dataDir }) => {
    if (wanted('fsck')) {
      const logs = { url, folder: join(folder, 'published'), dataDir }
      await waitForCopy(logs)
      checkFsck(goInstall('fsck', 'github.com/transparency-dev/tessera/cmd/fsck@latest'), logs, report)
      await checkTlog(tools, logs, report)
    }
    if (wanted('schemathesis')) await checkOpenapi({ url, token, dataDir })
  })
}

async function checkOpenapi(service: { url: string; token: string; dataDir: string }): Promise<void> {
  const program = installSchemathesis(tools)
  for (const who of ['all scopes', 'push', 'feed', 'audit']) {
    const what = `schemathesis finds no 500 and no answer outside openapi.yaml (${who})`
    if (program === undefined) {
      report(what, 'skipped', 'no Python here, or schemathesis cannot be had')
      continue
    }
    const isWhole = who === 'all scopes'
    const token = isWhole ? service.token : await createToken(service.dataDir, who)
    const { failed, output } = runSchemathesis(program, { ...service, token }, folder, isWhole ? [] : fewer)
    const [cases = ''] = /\d+ generated.*/.exec(output) ?? []
    report(what, failed ? 'FAILED' : 'ok', failed ? output.slice(-20_000) : cases)
  }
}

if (wanted('s3')) {
  const what = 'the contract of object storage over Versity S3 Gateway'
  const gateway = goInstall('versitygw', 'github.com/versity/versitygw/cmd/versitygw@latest')
  if (gateway === undefined) report(what, 'skipped', 'no Go here, or the module cannot be had')
  else {
    const wrong = await checkS3(gateway, folder)
    report(what, wrong === undefined ? 'ok' : 'FAILED', wrong)
  }
}

for (const version of wanted('opensearch') ? openSearchVersions : []) {
  const what = `delivery, setup, check, comparison and monitors over OpenSearch ${version.version}`
  const built = await buildOpenSearch(tools, version)
  if ('skipped' in built) report(what, 'skipped', built.skipped)
  else {
    const wrong = await checkOpenSearch(built, folder)
    report(what, wrong === undefined ? 'ok' : 'FAILED', wrong)
  }
}

if (wanted('hec')) {
  const what = "HEC over the OpenTelemetry Collector's splunkhec receiver"
  const built = await buildReceiver(tools)
  if ('skipped' in built) report(what, 'skipped', built.skipped)
  else {
    const wrong = await checkHec(built.program, folder)
    report(what, wrong === undefined ? 'ok' : 'FAILED', wrong)
  }
}

if (wanted('go-witness')) {
  const what = 'cosignatures of our witness in Go, and of a witness in Go here: transparency-dev/witness and formats'
  const built = await buildGoWitness(tools)
  if ('skipped' in built) report(what, 'skipped', built.skipped)
  else {
    const wrong = checkGoWitness(built.program, folder)
    report(what, wrong === undefined ? 'ok' : 'FAILED', wrong)
  }
  report("torchwood's litewitness", 'skipped', 'its newest needs Go 1.27, and every one its key in an ssh-agent')
}

if (wanted('pullers')) checkPullers(findMito(goInstall), report)

if (wanted('soak')) {
  const what = 'ten minutes of pushes, pulls, questions and garbage (npm run soak is an hour)'
  const soak = join(project, 'test/soak/soak.ts')
  const ran = spawnSync(process.execPath, [soak, '--minutes', '10'], { stdio: 'inherit', timeout: 1_800_000 })
  report(what, ran.status === 0 ? 'ok' : 'FAILED')
}

if (wanted('long')) {
  const long = {
    PROOFLINE_KILLS: '100',
    PROOFLINE_WITNESS_ROUNDS: '20',
    PROOFLINE_FREEZE_S: '60',
    PROOFLINE_BIG: '1',
    PROOFLINE_AS_OF_RUNS: '1000',
    PROOFLINE_CHAOS_RECORDS: '200000',
    PROOFLINE_CHAOS_KILLS: '20',
  }
  try {
    execFileSync(
      process.execPath,
      [
        join(project, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--root',
        project,
        '--project',
        'stories',
        'test/stories',
      ],
      {
        env: { ...process.env, ...long },
        stdio: 'inherit',
      },
    )
    report(
      'stories in their long forms',
      'ok',
      Object.entries(long)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
    )
  } catch {
    report('stories in their long forms', 'FAILED')
  }
}

await rm(folder, { recursive: true, force: true })
const failed = results.filter(({ verdict }) => verdict === 'FAILED').length
console.log(
  `\n${results.filter(({ verdict }) => verdict === 'ok').length} ok, ${failed} failed, ${results.filter(({ verdict }) => verdict === 'skipped').length} skipped`,
)
process.exitCode = failed === 0 ? 0 : 1
