import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

/** Reports to measure with: real ones of the corpus where it is there, and ones made up in their likeness. */

const corpusFolder = process.env['PROOFLINE_CORPUS'] ?? fileURLToPath(new URL('../../shared/corpus', import.meta.url))

/** Content of a file of the corpus, unpacked; undefined where there is none. */
export function corpusFile(name: string): Buffer | undefined {
  const path = join(corpusFolder, name)
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes
}

export function corpusNames(folder: string): string[] {
  const path = join(corpusFolder, folder)
  return existsSync(path) ? readdirSync(path).toSorted() : []
}

/** Numbers that are the same in every run of the benchmark (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * One file as LCOV says it: `lines` instrumented lines with gaps between them, executed or not in stretches as code is, a function for
 * every twenty lines and a branch with two ways for every twelve.
 */
export function lcovSection(path: string, seed: number, lines = 60): string {
  const random = createRandom(seed)
  const functions: string[] = []
  const branches: string[] = []
  const counts: string[] = []
  let [line, hits, left, hit] = [0, 0, 0, 0]
  let [functionsHit, branchesHit] = [0, 0]
  for (let i = 0; i < lines; i++) {
    line += random() < 0.9 ? 1 : 2 + Math.floor(random() * 6)
    if (left-- <= 0) {
      left = 3 + Math.floor(random() * 16)
      hits = random() < 0.25 ? 0 : Math.floor(1 + random() ** 6 * 90_000)
    }
    if (i % 20 === 0) {
      functions.push(`FN:${line},function_${i}\nFNDA:${hits},function_${i}\n`)
      if (hits > 0) functionsHit++
    }
    if (i % 12 === 5) {
      const other = random() < 0.4 ? 0 : hits
      branches.push(`BRDA:${line},0,0,${hits > 0 ? hits : '-'}\nBRDA:${line},0,1,${hits > 0 ? other : '-'}\n`)
      branchesHit += (hits > 0 ? 1 : 0) + (other > 0 ? 1 : 0)
    }
    counts.push(`DA:${line},${hits}\n`)
    if (hits > 0) hit++
  }
  const totals = `FNF:${functions.length}\nFNH:${functionsHit}\n`
  const ways = `BRF:${branches.length * 2}\nBRH:${branchesHit}\n`
  return `SF:${path}\n${functions.join('')}${totals}${branches.join('')}${ways}${counts.join('')}LF:${lines}\nLH:${hit}\nend_of_record\n`
}

export const pathOf = (file: number): string => `src/module${file % 40}/part${file % 7}/component-${file}.ts`

/** Reports of consecutive runs of one suite: from one to the next about one file in fifty comes out differently. */
export function createReports(files: number, seed: number): () => Buffer {
  const random = createRandom(seed)
  const sections = Array.from({ length: files }, (_, file) => lcovSection(pathOf(file), seed + file))
  return () => {
    for (let file = 0; file < files; file++) {
      if (random() < 0.02) sections[file] = lcovSection(pathOf(file), Math.floor(random() * 2 ** 31))
    }
    return Buffer.from(`TN:\n${sections.join('')}`)
  }
}

/**
 * A report of about `bytes` bytes in chunks of about 64 KiB, every line of it a distinct line of a distinct file. Files of 400 lines
 * (about 6 KB), since a report may name 200,000 files. `made` counts what was given out.
 */
export function* largeReport(bytes: number, made: { bytes: number; files: number }): Generator<Buffer> {
  const bodies = Array.from({ length: 61 }, (_, i) => lcovSection('', i, 400).replace('SF:\n', ''))
  while (made.bytes < bytes) {
    let text = made.bytes === 0 ? 'TN:\n' : ''
    while (text.length < 65_536) text += `SF:${pathOf(made.files)}\n${bodies[made.files++ % bodies.length]}`
    made.bytes += text.length
    yield Buffer.from(text, 'latin1')
  }
}

/** An Istanbul report in the likeness of nyc's. */
export function istanbulReport(files: number): Buffer {
  const random = createRandom(7)
  const at = (line: number, from: number, to: number) => ({ start: { line, column: from }, end: { line, column: to } })
  const report: Record<string, unknown> = {}
  for (let file = 0; file < files; file++) {
    const path = `/builds/acme/app/${pathOf(file)}`
    const [statementMap, s, fnMap, f, branchMap, b]: Record<string, unknown>[] = [{}, {}, {}, {}, {}, {}]
    for (let i = 0; i < 60; i++) {
      const line = 2 * i + 1
      const hits = random() < 0.3 ? 0 : Math.floor(random() * 1_000)
      Object.assign(statementMap ?? {}, { [i]: at(line, 4, 40) })
      Object.assign(s ?? {}, { [i]: hits })
      if (i % 20 === 0) {
        Object.assign(fnMap ?? {}, {
          [i / 20]: { name: `function_${i}`, decl: at(line, 0, 12), loc: at(line, 14, 80), line },
        })
        Object.assign(f ?? {}, { [i / 20]: hits })
      }
      if (i % 12 === 5) {
        const number = (i - 5) / 12
        Object.assign(branchMap ?? {}, {
          [number]: { loc: at(line, 4, 40), type: 'if', locations: [at(line, 4, 40), at(line, 8, 20)], line },
        })
        Object.assign(b ?? {}, { [number]: [hits, random() < 0.4 ? 0 : hits] })
      }
    }
    report[path] = { path, statementMap, fnMap, branchMap, s, f, b }
  }
  return Buffer.from(JSON.stringify(report))
}
