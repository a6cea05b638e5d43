import type { LineTotals } from '../../src/record/run.ts'

/** A large LCOV report made while it is sent: files with lines, branches and functions, and a section of each file for every test name. */

export interface BigReport {
  /** At least this long, in pieces of some 256 KB; the same bytes every time. */
  chunks(): Generator<Uint8Array>
  totals: LineTotals
}

export interface BigSettings {
  bytes: number
  files?: number
  linesPerFile?: number
  seed?: number
}

export function aBigReport({ bytes, files = 12_000, linesPerFile = 200, seed = 1 }: BigSettings): BigReport {
  // What ran in which pass is decided by small numbers, so that the union over all passes can be told without a second parser.
  const kind = (file: number, line: number): number => (Math.imul(file + seed, 31) + Math.imul(line, 17)) & 15
  /** 0: no code; 1-3: never runs; 4-6: runs in every second pass; others always. Every third line branches, one way only for 7-9. */
  const runs = (k: number, pass: number): boolean => k > 6 || (k > 3 && pass % 2 === 1)
  const section = (file: number, pass: number): string => {
    let text = `TN:test ${pass}\nSF:packages/module-${file % 40}/src/component-${file}.ts\nFN:1,main\nFNDA:${pass + 1},main\nFNF:1\nFNH:1\n`
    let [found, hit] = [0, 0]
    for (let line = 1; line <= linesPerFile; line++) {
      const k = kind(file, line)
      if (k === 0) continue
      const ran = runs(k, pass)
      found++
      if (ran) hit++
      text += `DA:${line},${ran ? k * (pass + 1) : 0}\n`
      if (line % 3 === 0)
        text += `BRDA:${line},0,0,${ran ? 1 : '-'}\nBRDA:${line},0,1,${ran ? (k < 10 ? 0 : 2) : '-'}\n`
    }
    return `${text}LF:${found}\nLH:${hit}\nend_of_record\n`
  }

  function* chunks(): Generator<Uint8Array> {
    let text = ''
    let sent = 0
    for (let pass = 0; ; pass++) {
      for (let file = 0; file < files; file++) {
        text += section(file, pass)
        if (text.length < 262_144) continue
        const chunk = Buffer.from(text)
        yield chunk
        sent += chunk.length
        text = ''
      }
      // Whole passes, two at least, so that every line that runs at all has run.
      if (sent + text.length >= bytes && pass > 0) break
    }
    if (text !== '') yield Buffer.from(text)
  }

  const lines = { found: 0, covered: 0, partial: 0, missed: 0 }
  const branches = { found: 0, covered: 0 }
  for (let file = 0; file < files; file++) {
    for (let line = 1; line <= linesPerFile; line++) {
      const k = kind(file, line)
      if (k === 0) continue
      const [ran, branching] = [k > 3, line % 3 === 0]
      lines.found++
      if (!ran) lines.missed++
      else if (branching && k < 10) lines.partial++
      else lines.covered++
      if (!branching) continue
      branches.found += 2
      branches.covered += !ran ? 0 : k < 10 ? 1 : 2
    }
  }
  return { chunks, totals: { files, lines, branches, functions: { found: files, covered: files } } }
}
