import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { runConformance } from './run-conformance.ts'

const source = join(import.meta.dirname, 'hec', 'main.go')
const contrib = 'github.com/open-telemetry/opentelemetry-collector-contrib'
const release = 'v0.161.0'

/** The receiver as a program, kept between runs; or why there is none. */
export async function buildReceiver(tools: string): Promise<{ program: string } | { skipped: string }> {
  const folder = join(tools, 'hec')
  const program = join(folder, 'receiver')
  const copy = join(folder, 'main.go')
  if (existsSync(program) && readFileSync(copy, 'utf8') === readFileSync(source, 'utf8')) return { program }
  if (spawnSync('sh', ['-c', 'command -v go']).status !== 0) return { skipped: 'no Go here' }
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'go.mod'), 'module conformance\n\ngo 1.26\n')
  await copyFile(source, copy)
  const run = (args: string[]): string | undefined => {
    const ran = spawnSync('go', args, { cwd: folder, encoding: 'utf8', timeout: 900_000 })
    return ran.status === 0 ? undefined : ran.stderr.slice(-500)
  }
  const modules = ['receiver/splunkhecreceiver', 'extension/ackextension'].map(
    (name) => `${contrib}/${name}@${release}`,
  )
  // Of the same release: `tidy` would take the newest, and all the others with it.
  modules.push(`go.opentelemetry.io/collector/extension/extensiontest@${release}`)
  const got = run(['get', ...modules]) ?? run(['mod', 'tidy'])
  if (got !== undefined) return { skipped: `the modules of the receiver cannot be had: ${got}` }
  const built = run(['build', '-o', program, '.'])
  return built === undefined ? { program } : { skipped: `it does not compile: ${built}` }
}

/** Runs what is asked of HEC against the receiver; undefined when all of it holds, else what does not. */
export async function checkHec(program: string, folder: string): Promise<string | undefined> {
  const port = await freePort()
  const file = join(folder, 'hec.ndjson')
  const receiver = spawn(program, [`127.0.0.1:${port}`, file], { stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = new Promise<void>((resolve) => receiver.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  try {
    await whenReady(receiver, url)
    return runConformance('hec', { TEST_HEC_URL: url, TEST_HEC_FILE: file })
  } finally {
    receiver.stdin.end()
    const late = setTimeout(() => receiver.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(late)
  }
}

async function whenReady(receiver: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/services/collector/health`).catch(() => undefined)
    if (answer?.ok === true) return
    if (tries === 100 || receiver.exitCode !== null) throw new Error('the receiver does not start')
    await sleep(100)
  }
}
