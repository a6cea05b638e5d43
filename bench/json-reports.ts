import { createRandom, pathOf } from './reports.ts'

/** Reports in the likeness of SimpleCov's and of producers of coverage events: the corpus has only small ones. */

function* linesOf(random: () => number, lines: number): Generator<number | null> {
  let left = 0
  let hits = 0
  for (let i = 0; i < lines; i++) {
    if (left-- <= 0) {
      left = 3 + Math.floor(random() * 16)
      hits = random() < 0.25 ? 0 : Math.floor(1 + random() ** 6 * 90_000)
    }
    yield random() < 0.45 ? null : hits
  }
}

/** A `.resultset.json` as SimpleCov prints it: a line of text for each line of source, and a condition for every twelve. */
export function simplecovReport(files: number, lines = 120): Buffer {
  const random = createRandom(11)
  const coverage: Record<string, unknown> = {}
  for (let file = 0; file < files; file++) {
    const branches: Record<string, unknown> = {}
    for (let line = 5; line < lines; line += 12) {
      branches[`[:if, ${line}, ${line}, 4, ${line + 4}, 7]`] = {
        [`[:then, ${line + 1}, ${line + 1}, 6, ${line + 1}, 20]`]: Math.floor(random() * 9),
        [`[:else, ${line + 2}, ${line + 3}, 6, ${line + 3}, 20]`]: Math.floor(random() * 2),
      }
    }
    coverage[`/builds/acme/app/${pathOf(file)}`] = { lines: [...linesOf(random, lines)], branches }
  }
  return Buffer.from(JSON.stringify({ RSpec: { coverage, timestamp: 1_795_831_665 } }, undefined, 2))
}

/** Coverage events, one a file. */
export function eventsReport(files: number, lines = 120): Buffer {
  const random = createRandom(13)
  const events: unknown[] = [
    { event: 'producer', schema: 'proofline.events.v1', tool: { name: 'bench', version: '1' }, rule: 'bench.line@1' },
  ]
  for (let file = 0; file < files; file++) {
    const sets: Record<'covered' | 'missed', string[]> = { covered: [], missed: [] }
    const branches: Record<string, number[]> = {}
    let line = 0
    for (const hits of linesOf(random, lines)) {
      line += 1
      if (hits === null) continue
      sets[hits > 0 ? 'covered' : 'missed'].push(String(line))
      if (line % 12 === 0) branches[line] = [hits, Math.floor(random() * 2)]
    }
    const { covered, missed } = sets
    events.push({ event: 'file', path: pathOf(file), covered: covered.join(','), missed: missed.join(','), branches })
  }
  events.push({ event: 'end', files })
  return Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
}
