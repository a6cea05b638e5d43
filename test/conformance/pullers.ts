import { spawnSync } from 'node:child_process'
import { runConformance } from './run-conformance.ts'

/** The pullers of deploy/ that can be run here: Elastic's CEL program by its own interpreter (mito), Splunk's modular input by Python. */

type Report = (what: string, verdict: 'ok' | 'FAILED' | 'skipped', detail?: string) => void

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

export function checkPullers(mito: string | undefined, report: Report): void {
  const splunk = "Splunk's modular input has every record once, though killed, and obeys what it is told"
  if (has('python3')) {
    const wrong = runConformance('pullers-splunk', {})
    report(splunk, wrong === undefined ? 'ok' : 'FAILED', wrong)
  } else report(splunk, 'skipped', 'no Python here')

  const cel = "Elastic's CEL program, run by mito, has every record once and keeps its place when it is refused"
  if (mito === undefined) report(cel, 'skipped', 'github.com/elastic/mito cannot be had: put its program into PATH')
  else {
    const wrong = runConformance('pullers-elastic', { TEST_MITO: mito })
    report(cel, wrong === undefined ? 'ok' : 'FAILED', wrong)
  }
}

/** The program in PATH, else built by the name of its module. */
export function findMito(goInstall: (name: string, module: string) => string | undefined): string | undefined {
  return has('mito') ? 'mito' : goInstall('mito', 'github.com/elastic/mito/cmd/mito@latest')
}
