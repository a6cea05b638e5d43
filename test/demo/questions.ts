import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DifferenceAnswer } from '../../src/api/difference.ts'
import type { LineageAnswer } from '../../src/api/lineage.ts'

/** What is asked of the pushed reports: each answer's numbers are compared with those of the receipts, or of another answer. */

/** As a receipt has them. */
export interface PushedSuite {
  testType: string
  suite: string
  found: number
  executed: number
}

export interface Asking {
  cli: (...args: string[]) => Promise<{ code: number; stdout: string; stderr: string }>
  check: (what: string, agrees: boolean, detail?: string) => void
  checkout: string
  pushed: readonly PushedSuite[]
}

interface Sums {
  found: number
  executed: number
}
interface Report {
  complete: boolean
  runs: { seal: string }[]
  figures: { definition: string; both: Sums; suites: (Sums & { test_type: string; suite: string })[] }[]
}

const contract = (suites: readonly PushedSuite[]): string =>
  [
    'version: 1',
    'refs: [refs/heads/main]',
    "production: { include: ['**'] }",
    'suites:',
    ...suites.map(({ suite, testType }) => `  - { name: ${suite}, test_type: ${testType} }`),
    'thresholds: { unit: { lines: 1 }, integration: { lines: 1 } }',
    '',
  ].join('\n')

export async function askQuestions({ cli, check, checkout, pushed }: Asking): Promise<void> {
  const head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: checkout, encoding: 'utf8' }).trim()
  const read = async <T>(...args: string[]): Promise<T> => JSON.parse((await cli(...args, '--json')).stdout) as T
  const file = join(checkout, 'proofline.contract.yaml')
  writeFileSync(file, contract(pushed))
  const registered = await cli('contract', 'register', file, '--commit', '0'.repeat(40), '--ref', 'refs/heads/main')
  check('a contract is registered', registered.code === 0, registered.stderr.trim())

  const report = await read<Report>('report', head)
  const told = report.figures.flatMap(({ suites }) => suites)
  const isTold = pushed.every(({ testType, suite, found, executed }) =>
    told.some((one) => one.test_type === testType && one.suite === suite && one.found === found && one.executed === executed)) // oxfmt-ignore
  check('the report has the figures of the receipts, suite by suite', isTold && report.complete, `${told.length} suites, ${report.runs.length} runs`) // oxfmt-ignore

  const gate = await cli('gate', head, '--json')
  const decided = JSON.parse(gate.stdout) as { id: string; verdict: string; checks: Sums[] }
  const deployed = await cli('deployed', head, '--id', 'demo-release', '--environment', 'production')
  check('the gate lets it pass, and the deployment says so', gate.code === 0 && deployed.code === 0, `${decided.verdict}, ${decided.checks.length} limits`) // oxfmt-ignore
  const released = await read<Report>('report', '--deployment', 'demo-release')
  check('the report of the deployment has the same numbers', JSON.stringify(released.figures) === JSON.stringify(report.figures), // oxfmt-ignore
    released.figures.map(({ definition, both }) => `${both.executed} of ${both.found} by ${definition}`).join(', ')) // oxfmt-ignore

  const [a, b] = ['unit', 'integration'].map((type) => `suite:${head}/${type}/ring`) as [string, string]
  const { difference, steps, ...sides } = await read<DifferenceAnswer>('difference', a, b)
  const added = (of: 'found' | 'executed'): number => steps.reduce((sum, step) => sum + step[of], 0)
  const isExplained = (['found', 'executed'] as const).every((of) => added(of) === difference[of] && sides.a[of] + difference[of] === sides.b[of]) // oxfmt-ignore
  check('the difference of two suites adds up', isExplained, `${sides.a.executed} to ${sides.b.executed} lines in ${steps.length} steps`) // oxfmt-ignore

  const { chain } = await read<LineageAnswer>('lineage', report.runs[0]?.seal ?? '')
  const found = new Set<string>()
  const walk = (nodes: LineageAnswer['chain']): void => {
    for (const { kind, id, children = [] } of nodes) {
      found.add(`${kind} ${id}`)
      walk(children)
    }
  }
  walk(chain)
  const isWhole = [`commit ${head}`, `gate ${decided.id}`, 'deployment demo-release'].every((one) => found.has(one))
  check('from one record id the lineage leads to commit, gate and deployment', isWhole, `${found.size} things`)
}
