import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { runConformance } from './run-conformance.ts'

const sources = join(import.meta.dirname, 'opensearch')

/** The lines that are in use, and the Java that they need. */
export const openSearchVersions = [
  { version: '2.19.1.0', java: 17 },
  { version: '3.3.2.0', java: 21 },
] as const
type Version = (typeof openSearchVersions)[number]

export interface BuiltNode {
  folder: string
  java: string
}

/** Jars and class of a node, kept between runs; or why there is none. */
export async function buildOpenSearch(tools: string, version: Version): Promise<BuiltNode | { skipped: string }> {
  const folder = join(tools, `opensearch-${version.version}`)
  const home = javaHome(version.java)
  if (home === undefined) return { skipped: `no Java ${version.java} or newer here (JAVA_HOME, or /usr/lib/jvm)` }
  const java = join(home, 'bin', 'java')
  const source = readFileSync(join(sources, 'RunNode.java'), 'utf8')
  const kept = join(folder, 'RunNode.java')
  if (existsSync(join(folder, 'RunNode.class')) && readFileSync(kept, 'utf8') === source) return { folder, java }
  if (spawnSync('sh', ['-c', 'command -v mvn']).status !== 0) return { skipped: 'no mvn here' }
  await mkdir(folder, { recursive: true })
  await cp(sources, folder, { recursive: true })
  const run = (program: string, args: string[]): string | undefined => {
    const env = { ...process.env, JAVA_HOME: home }
    const ran = spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 600_000, env })
    return ran.status === 0 ? undefined : (ran.stdout + ran.stderr).slice(-500)
  }
  const copy = ['dependency:copy-dependencies', '-DoutputDirectory=lib', `-Dversion.opensearch=${version.version}`]
  const jars = run('mvn', ['-q', '-B', ...copy])
  if (jars !== undefined) return { skipped: `the jars of OpenSearch cannot be had: ${jars}` }
  const compiled = run(join(home, 'bin', 'javac'), ['-cp', 'lib/*', '-d', '.', 'RunNode.java'])
  return compiled === undefined ? { folder, java } : { skipped: `it does not compile: ${compiled}` }
}

/** The oldest JDK here that is new enough. */
function javaHome(atLeast: number): string | undefined {
  const installed = existsSync('/usr/lib/jvm')
    ? readdirSync('/usr/lib/jvm').map((name) => join('/usr/lib/jvm', name))
    : []
  const homes = [...(process.env['JAVA_HOME'] === undefined ? [] : [process.env['JAVA_HOME']]), ...installed]
  return homes
    .map((home) => ({ home, release: releaseOf(home) }))
    .filter(({ home, release }) => release >= atLeast && existsSync(join(home, 'bin', 'javac')))
    .toSorted((a, b) => a.release - b.release)[0]?.home
}

function releaseOf(home: string): number {
  const file = join(home, 'release')
  if (!existsSync(file)) return 0
  return Number(/JAVA_VERSION="(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0)
}

/** Runs what is asked of Elastic against a real node; undefined when all of it holds, else what does not. */
export async function checkOpenSearch(built: BuiltNode, folder: string): Promise<string | undefined> {
  const home = await mkdtemp(join(folder, 'opensearch-'))
  await mkdir(join(home, 'config'), { recursive: true })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const classpath = `${built.folder}:${join(built.folder, 'lib')}/*`
  const args = ['-Xms512m', '-Xmx768m', `-Dopensearch.path.home=${home}`, '-cp', classpath, 'RunNode', home, `${port}`]
  const node = spawn(built.java, args, { cwd: home, stdio: ['pipe', 'ignore', 'ignore'] })
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
