import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** Runs `<name>*.conformance.ts`, told by the environment where the other side is; undefined when all of it passes, else its output. */
export function runConformance(name: string, env: Record<string, string>): string | undefined {
  const vitest = join(project, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--config', 'test/conformance/vitest.config.ts', `test/conformance/${name}`]
  const ran = spawnSync(process.execPath, args, {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 1_200_000,
  })
  return ran.status === 0 ? undefined : (ran.stdout + ran.stderr).slice(-8_000)
}
