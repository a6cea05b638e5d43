import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Repository, compareCommits, ensureCommits } from '../../src/producer/compare.ts'
import { sendLineMaps } from '../../src/producer/send-line-maps.ts'
import type { LineMapsAnswer } from '../../src/api/runs.ts'
import { Problem } from '../../src/record/problem.ts'
import { commit, git, makeFolder, write } from '../commands/run-program.ts'

let origin: string
let commits: string[]
beforeAll(() => {
  origin = makeFolder()
  git(origin, 'init', '-q', '-b', 'main')
  git(origin, 'config', 'uploadpack.allowFilter', 'true')
  commits = [1, 2, 3, 4, 5].map((i) => {
    write(origin, 'src/a.js', `${'line\n'.repeat(i)}end\n`)
    return commit(origin, `commit ${i}`)
  })
}, 60_000)
afterAll(() => rmSync(join(origin, '..'), { recursive: true, force: true }))

let clones = 0
function clone(...options: string[]): string {
  const name = `clone-${clones++}`
  git(join(origin, '..'), 'clone', '-q', ...options, `file://${origin}`, name)
  return join(origin, '..', name)
}
const at = (index: number): string => commits.at(index) ?? ''
const place = (folder: string, fetch = true): Repository => ({
  folder,
  env: { PATH: process.env['PATH'], HOME: join(origin, '..') },
  fetch,
  signal: AbortSignal.timeout(60_000),
})
const ensure = async (wanted: string[], repository: Repository): Promise<string[]> => {
  const said: string[] = []
  await ensureCommits(wanted, repository, (missing, remote) => said.push(`${missing.length} from ${remote}`))
  return said
}
const hunksOf = (body: Buffer): string[] =>
  body
    .toString()
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { hunks: string }).hunks)

describe('ensureCommits', () => {
  it('asks for nothing where both are there', async () => {
    expect(await ensure([at(0), at(1)], place(clone(), false))).toEqual([])
  })

  it('fetches single commits into a shallow clone, which keeps the history it has', async () => {
    const folder = clone('--depth=2')
    expect(await ensure([at(1), at(4)], place(folder))).toEqual(['1 from origin'])
    expect(git(folder, 'rev-list', '--count', 'HEAD')).toBe('2')
    expect(hunksOf(await compareCommits(at(1), at(4), place(folder)))).toEqual(['-2,0+3,3'])
    expect(git(folder, 'for-each-ref')).not.toContain(at(1))
  })

  it('fetches a newer commit into a full clone, which stays full', async () => {
    const folder = clone()
    const newer = commit(origin, 'newer')
    expect(await ensure([at(4), newer], place(folder))).toEqual(['1 from origin'])
    expect(git(folder, 'rev-parse', '--is-shallow-repository')).toBe('false')
    expect(git(folder, 'rev-list', '--count', newer)).toBe('6')
    expect(git(folder, 'rev-parse', 'origin/main')).toBe(at(4))
  })

  it('says why a commit cannot be had', async () => {
    const folder = clone('--depth=1')
    await expect(ensure([at(0)], place(folder, false))).rejects.toThrow(/is not in this clone, and --no-fetch was said/)
    await expect(ensure(['f'.repeat(40)], place(folder))).rejects.toThrow(/^f{12} cannot be fetched from origin: \w/)
    git(folder, 'remote', 'remove', 'origin')
    await expect(ensure([at(0)], place(folder))).rejects.toThrow(/has no remote to fetch it from/)
  })
})

describe('compareCommits', () => {
  it('reads a partial clone, which fetches blobs by itself, and a sparse one', async () => {
    const partial = clone('--filter=blob:none', '--no-checkout')
    expect(hunksOf(await compareCommits(at(0), at(2), place(partial)))).toEqual(['-1,0+2,2'])
    const sparse = clone('--sparse')
    expect(hunksOf(await compareCommits(at(0), at(2), place(sparse)))).toEqual(['-1,0+2,2'])
  })

  it('says what git says of commits that it cannot read', async () => {
    await expect(compareCommits('f'.repeat(40), at(2), place(origin))).rejects.toThrow(
      /^git cannot compare them: .*f{40}/,
    )
  })

  it('ends when it is aborted', async () => {
    await expect(compareCommits(at(0), at(1), { ...place(origin), signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/i,
    )
  })
})

describe('sendLineMaps', () => {
  const answer = { mapped: 1 } as LineMapsAnswer
  const send = (pairs: [string, string][], repository: Repository | undefined, put: () => Promise<LineMapsAnswer>) =>
    sendLineMaps(
      pairs.map(([from, to]) => ({ from, to })),
      repository,
      {
        signal: AbortSignal.timeout(60_000),
        put,
        onProgress: () => undefined,
      },
    )

  it('goes on after pairs that failed', async () => {
    const folder = clone('--depth=1')
    const head = git(folder, 'rev-parse', 'HEAD')
    git(folder, 'remote', 'set-url', 'origin', 'file:///nowhere')
    const sent = await send(
      [
        [at(0), at(4)],
        [at(1), at(4)],
        [head, head],
      ],
      place(folder),
      async () => answer,
    )
    const [first, second, third] = sent
    expect(first).toMatchObject({ failed: expect.stringContaining('cannot be fetched from origin') })
    expect(second).toMatchObject({ failed: expect.stringContaining('cannot be fetched from origin') })
    expect(third).toBe(answer)
  })

  it('throws what says that the service cannot be reached, and tells what it refused', async () => {
    const unavailable = async () => Promise.reject(new Problem('unavailable', 'gone'))
    await expect(send([[at(0), at(1)]], place(origin), unavailable)).rejects.toThrow('gone')
    const refused = async () => Promise.reject(new Problem('forbidden', 'not you'))
    expect(await send([[at(0), at(1)]], place(origin), refused)).toMatchObject([{ failed: 'not you [forbidden]' }])
    expect(await send([[at(0), at(1)]], undefined, unavailable)).toEqual([])
  })
})
