import { execFileSync } from 'node:child_process'
import { rmSync, symlinkSync, unlinkSync, chmodSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Repository, compareCommits } from '../../src/producer/compare.ts'
import { type FileDiff, parseDiff } from '../../src/producer/line-maps.ts'
import { printHunks } from '../../src/record/hunks.ts'
import { commit, git, makeFolder, write } from '../commands/run-program.ts'

let folder: string
beforeAll(() => {
  folder = makeFolder()
  git(folder, 'init', '-q', '-b', 'main')
})
afterAll(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

/** What git prints for two commits with what the program asks of it, as it would be read from a pipe. */
const options = '-r -z --raw -p -U0 --full-index -M -l1000 --ignore-submodules=all --diff-algorithm=patience'.split(' ')
const rawDiff = (from: string, to: string, ...more: string[]): Buffer =>
  execFileSync('git', ['diff-tree', ...options, ...more, from, to], { cwd: folder, maxBuffer: 1 << 26 })

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length
    yield bytes.subarray(at, at + size)
    at += size
  }
}
const read = async (bytes: Uint8Array, sizes: readonly number[] = [1 << 20]): Promise<FileDiff[]> => {
  const found: FileDiff[] = []
  for await (const diff of parseDiff(inPieces(bytes, sizes))) found.push(diff)
  return found
}
const short = ({ from, to, hunks, unmapped }: FileDiff): string =>
  `${from.path}${from.path === to.path ? '' : ` > ${to.path}`}: ${hunks === undefined ? unmapped : printHunks(hunks)}`

const numbers = (to: number): string => Array.from({ length: to }, (_, i) => `line ${i}\n`).join('')

/** One commit of everything that git tells apart. */
function makeChanges(): [from: string, to: string] {
  const latin = Buffer.concat([Buffer.from(join(folder, 'w/latin-')), Buffer.of(0xe9), Buffer.from('.js')]) // no UTF-8
  rmSync(join(folder, 'w'), { recursive: true, force: true })
  write(folder, 'w/plain.js', numbers(10))
  write(folder, 'w/"odd"\n\tname ä.js', 'a\nb\nc\n')
  write(folder, 'w/\ndiff --git a/x b/x.js', 'a\n')
  writeFileSync(latin, 'a\n')
  write(folder, 'w/mode.sh', 'a\n')
  write(folder, 'w/binary.png', Uint8Array.of(1, 0, 2))
  write(folder, 'w/was-file', 'a\n')
  write(folder, 'w/same.js', numbers(20))
  write(folder, 'w/moved.js', numbers(30).replaceAll('line', 'row'))
  write(folder, 'w/gone.js', numbers(5).replaceAll('line', 'gone'))
  write(folder, 'w/no-newline.js', 'a\nb')
  write(folder, 'w/looks.js', '@@ -1 +1 @@\ndiff --git a/a b/b\n\\ No newline\n--- a\n+++ b\n')
  write(folder, 'w/emptied.js', 'a\nb\n')
  write(folder, 'w/filled.js', '')
  write(folder, 'w/cr.js', 'a\rb\r\nc\n')
  const from = commit(folder, 'before')
  write(folder, 'w/plain.js', numbers(10).replace('line 4\n', '').replace('line 7\n', 'new\nnew\n'))
  write(folder, 'w/"odd"\n\tname ä.js', 'a\nB\nc\n')
  write(folder, 'w/\ndiff --git a/x b/x.js', 'b\n')
  chmodSync(join(folder, 'w/mode.sh'), 0o755)
  write(folder, 'w/binary.png', Uint8Array.of(1, 0, 3))
  unlinkSync(join(folder, 'w/was-file'))
  symlinkSync('plain.js', join(folder, 'w/was-file'))
  renameSync(join(folder, 'w/same.js'), join(folder, 'w/same two.js'))
  renameSync(join(folder, 'w/moved.js'), join(folder, 'w/moved to.js'))
  write(folder, 'w/moved to.js', `first\n${numbers(30).replaceAll('line', 'row')}`)
  unlinkSync(join(folder, 'w/gone.js'))
  write(folder, 'w/added.js', 'new\n')
  write(folder, 'w/no-newline.js', 'a\nb\nc')
  write(folder, 'w/looks.js', 'diff --git a/a b/b\n\\ No newline at end of file\n@@ -9 +9 @@\n+++ b\n')
  write(folder, 'w/emptied.js', '')
  write(folder, 'w/filled.js', 'a\nb\n')
  write(folder, 'w/cr.js', 'a\rb\nc\n')
  writeFileSync(latin, 'b\n')
  return [from, commit(folder, 'after')]
}

const expected = [
  'w/\ndiff --git a/x b/x.js: -1,1+1,1',
  'w/"odd"\n\tname ä.js: -2,1+2,1',
  'w/binary.png: binary',
  'w/cr.js: -1,1+1,1',
  'w/emptied.js: -1,2+0,0',
  'w/filled.js: -0,0+1,2',
  'w/looks.js: -1,1+0,0 -3,2+2,2',
  'w/moved.js > w/moved to.js: -0,0+1,1',
  'w/no-newline.js: -2,1+2,2',
  'w/plain.js: -5,1+4,0 -8,1+7,2',
  'w/same.js > w/same two.js: ',
]

describe('parseDiff', () => {
  it('reads what git prints: edits, renames, odd names, binaries, no newline; nothing of what was added, deleted, linked or only made executable', async () => {
    const [from, to] = makeChanges()
    const found = await read(rawDiff(from, to))
    expect(found.map(short).toSorted()).toEqual(expected)
    for (const { from: a, to: b } of found) {
      expect(a.blob).toBe(git(folder, 'rev-parse', `${from}:${a.path}`))
      expect(b.blob).toBe(git(folder, 'rev-parse', `${to}:${b.path}`))
    }
  })

  it('reads the same however the bytes are cut, and refuses an output that ends early', async () => {
    const [from, to] = makeChanges()
    const bytes = rawDiff(from, to)
    for (const sizes of [[1], [2, 3], [7], [100, 1], [4_096]])
      expect((await read(bytes, sizes)).map(short).toSorted()).toEqual(expected)
    let refused = 0
    for (let end = 1; end < bytes.length; end += 7) {
      const cut = await read(bytes.subarray(0, end)).then(
        (found) => found.length,
        () => 'refused',
      )
      if (cut === 'refused') refused++
      else expect(end).toBeGreaterThan(bytes.lastIndexOf('diff --git ')) // all sections were there
    }
    expect(refused).toBeGreaterThan(50)
  })

  it('compares as the program does, whatever is set in the repository', async () => {
    const [from, to] = makeChanges()
    git(folder, 'config', 'diff.noprefix', 'true')
    git(folder, 'config', 'diff.renames', 'false')
    git(folder, 'config', 'diff.context', '9')
    git(folder, 'config', 'color.ui', 'always')
    git(folder, 'config', 'diff.external', 'false')
    const env = { PATH: process.env['PATH'], GIT_DIFF_OPTS: '--unified=5', GIT_EXTERNAL_DIFF: 'false' }
    const place: Repository = { folder, env, fetch: false, signal: AbortSignal.timeout(60_000) }
    const lines = (await compareCommits(from, to, place)).toString().trimEnd().split('\n')
    const sent = lines.map(
      (line) => JSON.parse(line) as { from: { path: string }; to: { path: string }; hunks?: string; unmapped?: string },
    )
    const said = sent.map(
      ({ from: a, to: b, hunks, unmapped }) =>
        `${a.path}${a.path === b.path ? '' : ` > ${b.path}`}: ${hunks ?? unmapped}`,
    )
    expect(said.toSorted()).toEqual(expected)
    expect(lines.join('')).not.toContain('No newline')
  })

  it('is empty for equal commits', async () => {
    const [from] = makeChanges()
    expect(await read(rawDiff(from, from))).toEqual([])
  })

  it('finds every unchanged line where the hunks say, for any two texts', { timeout: 120_000 }, async () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '', '}', '@@ -1 +1 @@'), { maxLength: 25 })
    const pairs = fc.sample(fc.tuple(text, text), { seed: 7, numRuns: 150 })
    for (const [i, [before]] of pairs.entries())
      write(folder, `w/any${i}.js`, before.map((line) => `${line}\n`).join(''))
    const from = commit(folder, 'before')
    for (const [i, [, after]] of pairs.entries())
      write(folder, `w/any${i}.js`, after.map((line) => `${line}\n`).join(''))
    const to = commit(folder, 'after')
    const found = await read(rawDiff(from, to, '--no-renames'), [1_000])
    for (const [i, [before, after]] of pairs.entries()) {
      const diff = found.find((one) => one.from.path === `w/any${i}.js`)
      expect(applyHunks(before, after, diff?.hunks ?? []), `pair ${i}`).toEqual(after)
      expect(diff === undefined).toBe(before.join('\n') === after.join('\n') && before.length === after.length)
    }
  })

  it('refuses anything else, and never runs away', async () => {
    const [from, to] = makeChanges()
    const bytes = rawDiff(from, to)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.uint8Array({ maxLength: 40 }), fc.nat(60), async (at, put, cut) => {
        const changed = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)])
        const outcome = await read(changed, [64]).catch((error: unknown) => error)
        if (outcome instanceof Error) expect(outcome.constructor).toBe(Error)
        else expect(Array.isArray(outcome)).toBe(true)
      }),
      { seed: 11, numRuns: 400 },
    )
    await expect(read(Buffer.from('fatal: bad object'))).rejects.toThrow(/git/)
    await expect(read(Buffer.alloc(100_000, 0x61))).rejects.toThrow(/no raw diff/)
  })

  it('gives a file with too many hunks no map, and holds no more than the limit of them', async () => {
    const lines = Array.from({ length: 20_400 }, (_, i) => `line ${i}`)
    write(folder, 'w/huge.js', lines.join('\n'))
    const from = commit(folder, 'before')
    write(folder, 'w/huge.js', lines.map((line, i) => (i % 2 === 0 ? `${line}!` : line)).join('\n'))
    expect((await read(rawDiff(from, commit(folder, 'after')))).map(short)).toEqual(['w/huge.js: too_many_hunks'])
  })
})

/** The lines of `after` as the hunks make them of `before`: what they call unchanged is taken from there, the rest from `after`. */
function applyHunks(before: readonly string[], after: readonly string[], hunks: readonly number[]): string[] {
  const made: string[] = []
  let next = 1
  for (let i = 0; i < hunks.length; i += 4) {
    const [line, count, newLine, newCount] = hunks.slice(i, i + 4) as [number, number, number, number]
    const start = count === 0 ? line + 1 : line
    made.push(...before.slice(next - 1, start - 1))
    if (newCount > 0) made.push(...after.slice(newLine - 1, newLine - 1 + newCount))
    next = start + count
  }
  return [...made, ...before.slice(next - 1)]
}
