import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Go's readers over our logs: as files of the publisher, and over HTTP. */

const ledgers = ['unit', 'integration', 'operations'] as const
type Report = (what: string, verdict: 'ok' | 'FAILED' | 'skipped', detail?: string) => void

export interface PublishedLogs {
  url: string
  /** The published copy. */
  folder: string
  dataDir: string
}

/** Resolves when the copy shows at least what the service shows. */
export async function waitForCopy({ url, folder }: PublishedLogs): Promise<void> {
  for (const ledger of ledgers) {
    const sizeOf = (note: string): number => Number(note.split('\n')[1])
    const size = sizeOf(await (await fetch(`${url}/log/main/${ledger}/checkpoint`)).text())
    const read = () => readFile(join(folder, 'main', ledger, 'checkpoint'), 'utf8').catch(() => '')
    while (!(sizeOf(await read()) >= size)) await sleep(100)
  }
}

const keyOf = (dataDir: string, ledger: string): string => join(dataDir, 'keys', `main.${ledger}.vkey`)

/** Tessera's own checker: reads every bundle, hashes it, makes all tiles anew and compares them with those that are there. */
export function checkFsck(fsck: string | undefined, { url, folder, dataDir }: PublishedLogs, report: Report): void {
  for (const ledger of ledgers) {
    for (const [how, at] of [
      ['over HTTP', `${url}/log/main/${ledger}/`],
      ['as published files', `file://${folder}/main/${ledger}/`],
    ] as const) {
      const what = `tessera fsck reads, hashes and checks main/${ledger} ${how}`
      if (fsck === undefined) {
        report(what, 'skipped', 'no Go here, or the module cannot be had')
        continue
      }
      const args = ['--ui=false', '-N=4', `--storage_url=${at}`, `--public_key=${keyOf(dataDir, ledger)}`]
      const ran = spawnSync(fsck, args, { encoding: 'utf8', timeout: 300_000 })
      report(what, ran.status === 0 ? 'ok' : 'FAILED', ran.status === 0 ? '' : ran.stderr.slice(-2_000))
    }
  }
}

/** test/conformance/go over the published files; builds it first. */
export async function checkTlog(tools: string, { folder, dataDir }: PublishedLogs, report: Report): Promise<void> {
  const what = 'golang.org/x/mod sumdb/note and sumdb/tlog read, prove and check'
  const program = await buildCheck(join(tools, 'tlog'))
  if ('skipped' in program) return report(what, 'skipped', program.skipped)
  for (const ledger of ledgers) {
    const args = [keyOf(dataDir, ledger), join(folder, 'main', ledger)]
    const ran = spawnSync(program.path, args, { encoding: 'utf8', timeout: 300_000 })
    report(`${what} main/${ledger}`, ran.status === 0 ? 'ok' : 'FAILED', (ran.stdout + ran.stderr).trim().slice(-500))
  }
}

async function buildCheck(module: string): Promise<{ path: string } | { skipped: string }> {
  if (spawnSync('sh', ['-c', 'command -v go']).status !== 0) return { skipped: 'no Go here' }
  await mkdir(module, { recursive: true })
  await copyFile(join(import.meta.dirname, 'go/main.go'), join(module, 'main.go'))
  const run = (args: string[]) => spawnSync('go', args, { cwd: module, encoding: 'utf8', timeout: 300_000 })
  if (!existsSync(join(module, 'go.mod'))) {
    await writeFile(join(module, 'go.mod'), 'module check\n\ngo 1.24\n')
    const got = run(['get', 'golang.org/x/mod@latest'])
    if (got.status !== 0) return { skipped: `the module cannot be had: ${got.stderr.slice(-500)}` }
  }
  const built = run(['build', '-o', 'check', '.'])
  return built.status === 0 ? { path: join(module, 'check') } : { skipped: `it does not compile: ${built.stderr}` }
}
