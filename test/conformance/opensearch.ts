import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { runConformance } from './run-conformance.ts'

const sources = join(import.meta.dirname, 'opensearch')

/** Jars and class of a node, kept between runs; or why there is none. */
export async function buildOpenSearch(tools: string): Promise<{ folder: string } | { skipped: string }> {
  const folder = join(tools, 'opensearch')
  const pom = readFileSync(join(sources, 'pom.xml'), 'utf8')
  const built = join(folder, 'RunNode.class')
  if (existsSync(built) && readFileSync(join(folder, 'pom.xml'), 'utf8') === pom && isNewer(folder)) return { folder }
  for (const program of ['mvn', 'java', 'javac']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return { skipped: `no ${program} here` }
  }
  await mkdir(folder, { recursive: true })
  await cp(sources, folder, { recursive: true })
  const run = (program: string, args: string[]): string | undefined => {
    const ran = spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 600_000 })
    return ran.status === 0 ? undefined : (ran.stdout + ran.stderr).slice(-500)
  }
  const jars = run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'])
  if (jars !== undefined) return { skipped: `the jars of OpenSearch cannot be had: ${jars}` }
  const compiled = run('javac', ['-cp', 'lib/*', '-d', '.', 'RunNode.java'])
  return compiled === undefined ? { folder } : { skipped: `it does not compile: ${compiled}` }
}

const isNewer = (folder: string): boolean =>
  readFileSync(join(folder, 'RunNode.java'), 'utf8') === readFileSync(join(sources, 'RunNode.java'), 'utf8')

/** Runs what is asked of Elastic against a real node; undefined when all of it holds, else what does not. */
export async function checkOpenSearch(built: string, folder: string): Promise<string | undefined> {
  const home = join(folder, 'opensearch')
  await mkdir(join(home, 'config'), { recursive: true })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const classpath = `${built}:${join(built, 'lib')}/*`
  const args = ['-Xms512m', '-Xmx768m', `-Dopensearch.path.home=${home}`, '-cp', classpath, 'RunNode', home, `${port}`]
  const node = spawn('java', args, { cwd: home, stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = new Promise<void>((resolve) => node.once('exit', () => resolve()))
  try {
    await whenReady(node, url)
    return runConformance('opensearch', { TEST_OPENSEARCH_URL: url })
  } finally {
    node.stdin.end()
    const late = setTimeout(() => node.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(late)
  }
}

async function whenReady(node: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/_cluster/health?wait_for_status=yellow`).catch(() => undefined)
    if (answer?.ok === true) return
    if (tries === 300 || node.exitCode !== null) throw new Error('the OpenSearch node does not start')
    await sleep(200)
  }
}
