import { createHash } from 'node:crypto'
import { createRandom } from './reports.ts'
import { type BenchService, declareRun, sealRun } from './service.ts'

/**
 * Runs whose records are as short as records are, since peers were measured with events of 600 bytes: files of three lines, no branches,
 * no functions, no inventory. All into `main/integration`.
 */

const files = 2_000

export async function pushSmallRuns(service: BenchService, runs: number): Promise<void> {
  const random = createRandom(600)
  const hits = Array.from({ length: 3 * files }, () => (random() < 0.8 ? 1 : 0))
  const commit = createHash('sha1').update('small').digest('hex')
  for (let i = 0; i < runs; i++) {
    for (let changed = 0; changed < files / 50; changed++)
      hits[Math.floor(random() * hits.length)] = random() < 0.8 ? 1 : 0
    const sections = Array.from({ length: files }, (_, file) => {
      const lines = [0, 1, 2].map((line) => `DA:${line + 1},${hits[3 * file + line] ?? 0}\n`)
      return `SF:src/f${file}.ts\n${lines.join('')}end_of_record\n`
    })
    const run = {
      run: `b.${i}.s.integration`,
      repository: 'github.com/a/b',
      suite: 's',
      commit,
      testType: 'integration',
    } as const
    await declareRun(service, run)
    await service.call('PUT', `/v1/runs/${run.run}/parts?name=lcov.info`, Buffer.from(`TN:\n${sections.join('')}`))
    await sealRun(service, run.run)
  }
}
