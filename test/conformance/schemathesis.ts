import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cleanEnvironment, runCli } from '../support/service.ts'

/** schemathesis over openapi.yaml against a real service: hostile and well-formed requests; no 500, and no answer that is not in the document. */

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Its program, installed where it was not; undefined where it cannot be had. */
export function installSchemathesis(tools: string): string | undefined {
  const venv = join(tools, 'venv')
  const program = join(venv, 'bin', 'schemathesis')
  if (existsSync(program)) return program
  const command = `python3 -m venv ${venv} && ${venv}/bin/pip install --quiet schemathesis==4.32.5`
  return spawnSync('sh', ['-c', command], { timeout: 600_000 }).status === 0 ? program : undefined
}

/** schemathesis' own limit of an answer is some seconds, and a gate waits as long as it is told to: how fast the machine is says nothing about the document. */
const longest = '60'

/**
 * Checks that are left out, and why.
 * - positive_data_acceptance: what stands in words is no schema: one of commit, build and deployment; a cursor that this service printed; 256 bytes rather than characters.
 * - ensure_resource_availability: what was recorded a moment ago may wait for the checkpoint that covers it.
 * - object_level_authorization: wants the credentials of two people who own objects; who may do what is the matrix of test/stories/access.story.test.ts.
 */
const leftOut = ['positive_data_acceptance', 'ensure_resource_availability', 'object_level_authorization'] // oxfmt-ignore

/**
 * For a token of one scope: most routes refuse it, and what is behind a scope was asked with all of them. One thread: with two, Python 3.11 ends
 * some runs with `AST constructor recursion depth mismatch`.
 */
export const fewer = ['--phases', 'coverage,fuzzing', '--max-examples', '5', '--workers', '1']

/** A token of one scope. */
export async function createToken(dataDir: string, scope: string): Promise<string> {
  const args = ['token', 'create', '--scope', scope, '--data-dir', dataDir, '--json']
  const { code, stdout, stderr } = await runCli(args, { env: cleanEnvironment(dataDir) })
  if (code !== 0) throw new Error(`token create: ${stderr}`)
  const { token } = JSON.parse(stdout) as { token: string } // what the command prints
  return token
}

export interface SchemathesisRun {
  failed: boolean
  /** The end of what it says: its summary. */
  output: string
}

export function runSchemathesis(
  program: string,
  { url, token }: { url: string; token: string },
  folder: string,
  more: readonly string[] = [],
): SchemathesisRun {
  const args = [
    'run', here('../../openapi.yaml'), '--url', url, '--header', `Authorization: Bearer ${token}`, '--checks', 'all', '--exclude-checks', leftOut.join(','),
    '--phases', 'examples,coverage,fuzzing,stateful', '--mode', 'all', '--max-examples', '30', '--continue-on-failure', '--workers', '2', '--request-timeout', longest, '--max-response-time', longest,
    '--generation-database', 'none', '--no-color', ...more,
  ] // oxfmt-ignore
  const ran = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 3_600_000,
    maxBuffer: 1 << 28,
    cwd: folder,
    env: { ...process.env, SCHEMATHESIS_HOOKS: here('schemathesis_hooks.py') },
  })
  return { failed: ran.status !== 0, output: `${ran.stdout}${ran.stderr}` }
}
