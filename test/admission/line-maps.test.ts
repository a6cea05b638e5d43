import { describe, expect, it } from 'vitest'
import { type InventoryWindow, judgeMaps } from '../../src/admission/judge-maps.ts'
import { readLineMaps } from '../../src/admission/line-map-body.ts'
import { wantedComparisons } from '../../src/admission/missing-maps.ts'
import { Problem } from '../../src/record/problem.ts'

const blob = (digit: string): string => digit.repeat(40)
const file = (path: string, digit: string) => ({ path, blob: blob(digit) })
const one = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  from: file('a', '1'),
  to: file('a', '2'),
  hunks: '-1,1+1,2',
  ...more,
})
async function* body(...lines: unknown[]): AsyncGenerator<Uint8Array> {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('')
  for (let at = 0; at < text.length; at += 4_096) yield Buffer.from(text.slice(at, at + 4_096))
}

describe('readLineMaps', () => {
  it('reads one file a line, with hunks or the reason why there are none', async () => {
    expect(await readLineMaps(body(one(), '', one({ hunks: undefined, unmapped: 'binary' })))).toEqual([
      { line: 1, from: file('a', '1'), to: file('a', '2'), hunks: [1, 1, 1, 2], unmapped: undefined },
      { line: 3, from: file('a', '1'), to: file('a', '2'), hunks: undefined, unmapped: 'binary' },
    ])
  })

  it.each([
    ['no JSON', '{', /line 2 of the line maps is not JSON/],
    ['a list', [1], /line 2 .* "from" and "to"/],
    ['a member that is not known', one({ text: 'source' }), /line 2 .* member "text"/],
    ['no blob', one({ from: { path: 'a' } }), /line 2 .* "from" and "to"/],
    ['a path with NUL', one({ to: file('a\0', '2') }), /line 2 .* "from" and "to"/],
    ['neither hunks nor a reason', one({ hunks: undefined }), /line 2 .* either/],
    ['both', one({ unmapped: 'binary' }), /line 2 .* either/],
    ['a reason of many words', one({ hunks: undefined, unmapped: 'It is binary' }), /line 2 .* reason/],
    ['hunks as numbers', one({ hunks: [1, 2] }), /line 2 .* no text/],
    ['hunks that no diff has', one({ hunks: '-9,1+1,1' }), /line 2 .* cannot follow/],
    [
      'more hunks than a file may have',
      one({ hunks: Array.from({ length: 10_001 }, (_, i) => `-${2 * i + 1},1+${2 * i + 1},1`).join(' ') }),
      /line 2 .* more than 10000/,
    ],
    ['a line without end', 'x'.repeat(600_000), /line 2 .* too long/],
  ])('refuses %s and says where', async (_what, line, message) => {
    const refused = await readLineMaps(body(one(), line)).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Problem)
    expect(refused).toMatchObject({ code: 'request_invalid', message: expect.stringMatching(message) })
  })

  it('refuses a path that no record holds', async () => {
    await expect(readLineMaps(body(one({ from: file('"'.repeat(600), '1') })))).rejects.toMatchObject({
      code: 'record_too_large',
    })
  })
})

describe('judgeMaps', () => {
  const before: [string, string][] = [
    ['a', '1'],
    ['b', '1'],
    ['bin', '1'],
    ['c', '1'],
    ['d', '1'],
    ['gone', '1'],
    ['old', '1'],
    ['same', '1'],
  ]
  const after: [string, string][] = [
    ['a', '2'],
    ['b', '2'],
    ['bin', '2'],
    ['c', '2'],
    ['d', '2'],
    ['fresh', '1'],
    ['new', '2'],
    ['same', '1'],
  ]
  async function* windows(files: readonly [string, string][], size: number): AsyncGenerator<InventoryWindow> {
    for (let at = 0; at < files.length; at += size) {
      yield files.slice(at, at + size).map(([path, digit]) => [path, blob(digit)] as const)
      yield []
    }
  }
  const judge = (offered: Parameters<typeof judgeMaps>[0], size = 3) =>
    judgeMaps(offered, windows(before, size), windows(after, size + 1))
  const map = (
    line: number,
    from: [string, string],
    to: [string, string],
    hunks: number[] | undefined = [1, 1, 1, 2],
    unmapped?: string,
  ) => ({
    line,
    from: file(...from),
    to: file(...to),
    hunks: unmapped === undefined ? hunks : undefined,
    unmapped,
  })

  it('takes what fits both commits and names every changed file without a map, however the inventories are cut', async () => {
    for (const size of [1, 2, 3, 100]) {
      const judged = await judge(
        [
          map(1, ['a', '1'], ['a', '2']),
          map(2, ['old', '1'], ['new', '2']),
          map(3, ['bin', '1'], ['bin', '2'], undefined, 'binary'),
          map(4, ['gone', '1'], ['fresh', '1'], []),
        ],
        size,
      )
      expect(judged.accepted.map(({ from, to }) => `${from.path} ${to.path}`)).toEqual(['a a', 'old new', 'gone fresh'])
      expect(judged.refused).toEqual([])
      expect(judged.unmapped).toEqual([
        { path: 'bin', reason: 'binary' },
        ...['b', 'c', 'd'].map((path) => ({ path, reason: 'not_sent' })),
      ])
    }
  })

  it.each([
    ['from_not_in_commit', map(1, ['a', '9'], ['a', '2'])],
    ['from_not_in_commit', map(1, ['nowhere', '1'], ['a', '2'])],
    ['to_not_in_commit', map(1, ['a', '1'], ['a', '9'])],
    ['not_changed', map(1, ['same', '1'], ['same', '1'], [])],
    ['not_renamed', map(1, ['a', '1'], ['new', '2'])],
    ['not_renamed', map(1, ['old', '1'], ['a', '2'])],
    ['hunks_of_equal_blobs', map(1, ['gone', '1'], ['fresh', '1'])],
    ['no_hunks', map(1, ['a', '1'], ['a', '2'], [])],
    ['from_not_in_commit', map(1, ['a', '9'], ['a', '2'], undefined, 'binary')],
  ])('refuses by itself what does not fit: %s', async (reason, offered) => {
    expect(await judge([offered])).toMatchObject({ accepted: [], refused: [{ where: 'line 1', reason }] })
  })

  it('refuses the second of two maps for one file', async () => {
    const judged = await judge([map(1, ['old', '1'], ['new', '2']), map(2, ['gone', '1'], ['new', '2'])])
    expect(judged).toMatchObject({
      accepted: [{ from: { path: 'old' } }],
      refused: [{ where: 'line 2', reason: 'offered_twice' }],
    })
  })
})

describe('wantedComparisons', () => {
  const wanted = (
    recorded: string,
    lineage: { parents?: string; first?: string },
    last?: { commit: string; ancestors?: string },
  ) =>
    wantedComparisons(
      { commit: 'z', parents: Array.from(lineage.parents ?? ''), firstParents: Array.from(lineage.first ?? '') },
      new Set(recorded),
      last && { commit: last.commit, ancestors: Array.from(last.ancestors ?? '') },
    ).map(({ from, to }) => from + to)

  it.each([
    ['nothing for the first commit', '', { parents: 'y', first: 'yx' }, undefined, []],
    ['the nearest recorded ancestor', 'xw', { parents: 'y', first: 'yxw' }, undefined, ['xz', 'wx']],
    ['the parent, where the clone ends at once', 'y', { parents: 'y' }, undefined, ['yz']],
    ['both parents of a merge', 'yt', { parents: 'yt', first: 'y' }, undefined, ['yz', 'tz']],
    [
      'the newest of the ref, where the clone ends too early',
      'a',
      { parents: 'y', first: 'y' },
      { commit: 'a' },
      ['az'],
    ],
    ['no newest of the ref, where an ancestor is known', 'ay', { parents: 'y', first: 'y' }, { commit: 'a' }, ['yz']],
    [
      'the newest of the ref that came from this one, which is late',
      'ya',
      { parents: 'y', first: 'y' },
      { commit: 'a', ancestors: 'zy' },
      ['yz', 'za'],
    ],
    [
      'what is missing between recorded ancestors',
      'yxv',
      { parents: 'y', first: 'yxwv' },
      undefined,
      ['yz', 'xy', 'vx'],
    ],
    ['nothing to itself', 'zy', { parents: 'y', first: 'y' }, { commit: 'z' }, ['yz']],
    ['nothing twice', 'yx', { parents: 'yx', first: 'yx' }, { commit: 'y' }, ['yz', 'xz', 'xy']],
  ])('asks for %s', (_what, recorded, lineage, last, pairs) => {
    expect(wanted(recorded, lineage, last)).toEqual(pairs)
  })
})
