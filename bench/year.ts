import { createHash } from 'node:crypto'
import type { Submission } from '../src/ledger/decide.ts'
import type { LineCoverage } from '../src/record/coverage.ts'
import type { LineMap } from '../src/record/line-map.ts'
import { fromSorted } from '../src/record/lines.ts'
import { type LineBook, inventorySubmissions, mapSubmissions, runSubmissions } from '../test/support/record-runs.ts'

/**
 * A generated year of one large repository and of small ones beside it, as one of its two ledgers sees it: pull requests beside the main branch,
 * commits that change a few files, runs that differ by a few lines. Both ledgers of a year have the same commits, whoever makes them.
 */

export interface YearSize {
  /** Of the large repository, half of them in each ledger. */
  runs: number
  files: number
  /** Repositories of `smallFiles` files; with each commit of the large one goes one of theirs. */
  small: number
}

export interface LedgerYear {
  /** Size of the ledger after each twelfth. */
  months: number[]
  runs: number
}

export const largeRepository = 'github.com/acme/year'
const smallFiles = 50

export const commitOf = (repository: string, n: number): string =>
  createHash('sha1').update(`${repository} ${n}`).digest('hex')

export const pathOf = (file: number): string => `src/module${file % 40}/file${file}.ts`

export async function recordYear(book: LineBook, { runs, files, small }: YearSize): Promise<LedgerYear> {
  const large = createRepository(largeRepository, files, 20_261_130)
  const others = Array.from({ length: small }, (_, i) => createRepository(`github.com/acme/small${i}`, smallFiles, i + 1))
  const flips = createRandom(book.ledger.endsWith('/unit') ? 1 : 2)
  const year: LedgerYear = { months: [], runs: 0 }
  for (let commit = 0; commit < runs / 2; commit++) {
    const submissions: Submission[] = []
    for (const one of [large, others[commit % others.length]]) {
      if (one === undefined) continue
      submissions.push(...(await one.next(book, flips)))
      year.runs += 1
    }
    const recorded = await book.appender.submit(submissions)
    if (Math.floor(((commit + 1) * 24) / runs) > year.months.length) year.months.push((recorded.at(-1)?.lastSeq ?? -1) + 1)
  }
  return year
} // oxfmt-ignore

export function createRandom(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * n)
  }
}

/** Some files are worked on more often than others: a fifth of all changes goes to a twentieth of them. */
export function pickFile(random: (n: number) => number, count: number): number {
  const grain = 1_000_000
  return Math.floor(count * (random(grain) / grain) ** 2)
}

interface YearFile {
  path: string
  blob: string
  /** By line, from 1: 0 not instrumented, 1 covered, 2 partial, 3 missed. */
  states: number[]
  coverage: LineCoverage
}

interface Repository {
  /** The next commit: its inventory, its line maps and one run of it. */
  next(book: LineBook, flips: (n: number) => number): Promise<Submission[]>
}

function createRepository(repository: string, count: number, seed: number): Repository {
  const random = createRandom(seed)
  const files = Array.from({ length: count }, (_, i) => aFile(pathOf(i), random))
  const name = repository.split('/').at(-1) ?? ''
  let parents: string[] = []
  let commit = -1
  return {
    async next(book, flips) {
      commit += 1
      const isPull = random(10) < 3
      const id = commitOf(repository, commit)
      const maps: LineMap[] = []
      const kept = new Map<number, YearFile>()
      for (let changes = commit === 0 ? 0 : 1 + random(4); changes > 0; changes--) {
        const at = pickFile(random, count)
        const before = files[at] as YearFile // below the count
        if (kept.has(at)) continue
        kept.set(at, before)
        const { file, hunks } = edit(before, random)
        files[at] = file
        maps.push({ from: { path: file.path, blob: before.blob }, to: { path: file.path, blob: file.blob }, hunks })
      }
      // A few lines of this suite differ from run to run.
      const flipped = new Map<number, YearFile>()
      for (let left = flips(3); left > 0; left--) {
        const at = flips(count)
        flipped.set(at, withFlip(files[at] as YearFile, flips)) // below the count
      }
      const run = `bench.${name}-${commit}.all.${book.ledger.split('/')[1] ?? ''}`
      const listed = Object.fromEntries(files.map(({ path, blob }) => [path, blob]))
      const submissions = [
        ...(await inventorySubmissions(book, repository, id, listed)),
        ...(parents.length === 0 ? [] : mapSubmissions(book, repository, { from: parents[0] ?? id, to: id, run }, maps)),
        ...(await runSubmissions(book, {
          run, repository, suite: 'all', commit: id, ref: isPull ? `refs/pull/${commit}/merge` : 'refs/heads/main',
          parents: parents.slice(0, 40), committedAt: new Date(1_764_000_000_000 + commit * 3_600_000).toISOString(),
          parts: [{ name: 'lcov.info', files: files.map((file, at) => (flipped.get(at) ?? file).coverage) }],
        })),
      ] // oxfmt-ignore
      if (isPull) for (const [at, file] of kept) files[at] = file // what a pull request changed is not on the branch
      else parents = [id, ...parents.slice(0, 255)]
      return submissions
    },
  }
}

function aFile(path: string, random: (n: number) => number): YearFile {
  const states = [0]
  const lines = 40 + random(200)
  while (states.length <= lines) {
    const state = [0, 1, 1, 1, 2, 3][random(6)] ?? 0
    for (let n = 1 + random(8); n > 0; n--) states.push(state)
  }
  return toFile(path, states)
}

function toFile(path: string, states: number[], blob = createHash('sha1').update(`${path} ${states.join('')}`).digest('hex')): YearFile {
  const of = (state: number) => fromSorted(states.flatMap((one, line) => (line > 0 && one === state ? [line] : [])))
  const coverage: LineCoverage = { path, blob, metric: 'line', definition: 'lcov.da@1', covered: of(1), partial: of(2), missed: of(3) }
  return { path, blob, states, coverage }
} // oxfmt-ignore

/** Some lines come in where others go. As in git, the number of an empty side is that of the line before it. */
function edit({ path, states }: YearFile, random: (n: number) => number): { file: YearFile; hunks: number[] } {
  const at = 1 + random(states.length - 1)
  const removed = Math.min(random(5), states.length - 1 - at)
  const added = 1 + random(4)
  const after = [
    ...states.slice(0, at),
    ...Array.from({ length: added }, () => random(4)),
    ...states.slice(at + removed),
  ]
  return { file: toFile(path, after), hunks: [removed === 0 ? at - 1 : at, removed, at, added] }
}

function withFlip({ path, blob, states }: YearFile, random: (n: number) => number): YearFile {
  const flipped = [...states]
  flipped[1 + random(states.length - 1)] = 1 + random(3)
  return toFile(path, flipped, blob)
}
