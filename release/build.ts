import { execFileSync } from 'node:child_process'
import { copyFileSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Runs a program to its end, its output shown. Throws when it fails. */
export function run(
  folder: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): void {
  execFileSync(program, args, { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'] })
}

export function textOf(folder: string, program: string, args: readonly string[]): string {
  const options = { cwd: folder, maxBuffer: 64 * 1_048_576 }
  return execFileSync(program, args, { ...options, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()
}

/** A clone of one commit, so that nothing of the checkout that is not committed gets into it. */
export function clone(checkout: string, commit: string, folder: string): void {
  run(checkout, 'git', ['clone', '--quiet', '--no-checkout', checkout, folder])
  run(folder, 'git', ['checkout', '--quiet', '--detach', commit])
}

export const linkModules = (from: string, folder: string): void =>
  symlinkSync(join(from, 'node_modules'), join(folder, 'node_modules'))

/** Builds and packs; the package is put into `into`. Answers its name. */
export function pack(folder: string, into: string, sourceDateEpoch: number): string {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDateEpoch) }
  run(folder, 'npm', ['run', '--silent', 'build'], env)
  run(folder, 'npm', ['pack', '--silent', '--ignore-scripts'], env)
  const name = readdirSync(folder).find((file) => /^proofline-.*\.tgz$/.test(file))
  if (name === undefined) throw new Error('npm pack made no package')
  copyFileSync(join(folder, name), join(into, name))
  return name
}
