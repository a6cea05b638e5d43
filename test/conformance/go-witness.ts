import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runConformance } from './run-conformance.ts'

/** Witnesses in Go against ours, both ways: transparency-dev/witness, its client, and transparency-dev/formats for the cosignatures. */

export async function buildGoWitness(tools: string): Promise<{ program: string } | { skipped: string }> {
  if (spawnSync('sh', ['-c', 'command -v go']).status !== 0) return { skipped: 'no Go here' }
  const module = join(tools, 'go-witness-src')
  await mkdir(module, { recursive: true })
  await copyFile(join(import.meta.dirname, 'go-witness/main.go'), join(module, 'main.go'))
  const go = (...args: string[]) =>
    spawnSync('go', args, { cwd: module, encoding: 'utf8', timeout: 900_000, env: { ...process.env, GOFLAGS: '-mod=mod' } }) // oxfmt-ignore
  if (!existsSync(join(module, 'go.sum'))) {
    await writeFile(join(module, 'go.mod'), 'module check\n\ngo 1.25.0\n')
    const got = go('get', 'github.com/transparency-dev/witness@latest')
    if (got.status !== 0) return { skipped: `the module cannot be had: ${got.stderr.slice(-500)}` }
  }
  const built = go('build', '-o', join(tools, 'go-witness'), '.')
  if (built.status !== 0) return { skipped: `it does not compile: ${built.stderr.slice(-500)}` }
  return { program: join(tools, 'go-witness') }
}

/** Undefined when both agree in everything, else what was said. */
export function checkGoWitness(program: string, folder: string): string | undefined {
  return runConformance('go-witness', { TEST_GO_WITNESS: program, TEST_GO_WITNESS_FOLDER: folder })
}
