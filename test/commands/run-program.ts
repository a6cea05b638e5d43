import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileCache } from '../support/compile-cache.ts'

/** Runs the program as a process in a folder of its own, with nothing of this machine's environment but where programs lie. */

const program = fileURLToPath(new URL('../../bin/proofline.js', import.meta.url))

export interface Ran {
  code: number | string | null
  stdout: string
  stderr: string
}

export function runProgram(cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const home = join(cwd, '..', 'home')
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, ...compileCache, ...env },
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('close', (code, signal) => resolve({ code: code ?? signal, stdout, stderr }))
  })
}

/** A folder that nothing else uses; `home` stands beside it. */
export function makeFolder(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'proofline-cli-')), 'payments')
  mkdirSync(folder)
  return folder
}

export const lcov = 'TN:\nSF:src/a.js\nDA:1,1\nDA:2,0\nLF:2\nLH:1\nend_of_record\n'

/** A git checkout with one commit, always the same one, and a report beside it. */
export function makeCheckout(remote = 'https://user:secret@github.com/acme/payments.git'): string {
  const folder = makeFolder()
  write(folder, 'src/a.js', 'one\ntwo\n')
  git(folder, 'init', '-q', '-b', 'main')
  if (remote !== '') git(folder, 'remote', 'add', 'origin', remote)
  commit(folder, 'first')
  write(folder, 'coverage/lcov.info', lcov)
  return folder
}

export function write(folder: string, path: string, text: string | Uint8Array): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

export function commit(folder: string, message: string): string {
  git(folder, 'add', '-A')
  git(folder, 'commit', '-q', '--allow-empty', '-m', message)
  return git(folder, 'rev-parse', 'HEAD')
}

const someone = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.com',
}
const dates = { GIT_AUTHOR_DATE: '2026-11-23T05:00:00Z', GIT_COMMITTER_DATE: '2026-11-23T05:00:00Z' }

export function git(folder: string, ...args: string[]): string {
  const env = { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1', HOME: folder, ...someone, ...dates }
  return execFileSync('git', args, { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}
