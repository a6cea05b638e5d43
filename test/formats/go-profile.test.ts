import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flatten, printFiles, read, refusalOf, sumLines } from './read.ts'

const profile = (...lines: string[]): string => `${['mode: set', ...lines].join('\n')}\n`
const files = async (...lines: string[]): Promise<string[]> => printFiles(await read(profile(...lines)))

describe('Go cover profile', () => {
  it('a line is covered when all blocks on it ran, partial when some did, missed when none', async () => {
    expect(await files('a.go:1.10,4.2 2 1', 'a.go:4.2,4.20 1 0', 'a.go:6.1,8.2 3 0', 'a.go:9.1,9.5 1 1')).toEqual([
      'a.go 1-3,9|4|6-8 - -',
    ])
  })

  it('equal blocks of several test binaries are one: it ran when one of them ran it', async () => {
    const rounds = ['a.go:1.1,3.2 2 0', 'b.go:1.1,3.2 1 0', 'a.go:5.1,6.2 4 1']
    const result = await read(profile(...rounds, ...rounds.map((line) => line.replace(/0$/, '7')), ...rounds))
    expect(printFiles(result)).toEqual(['a.go 1-3,5-6|| - -', 'b.go 1-3|| - -'])
    expect(sumLines(result.files).statements).toEqual({ found: 7, covered: 7 })
  })

  it('says the same in whatever order the blocks come, and how often', async () => {
    const blocks = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 3 })), {
      selector: ([line]) => line,
      minLength: 1,
    })
    const lineOf = ([line = 1, count = 0]: number[]): string => `a.go:${2 * line}.1,${2 * line + 2}.1 ${line} ${count}`
    await fc.assert(
      fc.asyncProperty(blocks, fc.array(fc.nat(), { maxLength: 60 }), async (some, picks) => {
        const again = picks.map((pick) => some[pick % some.length] ?? some[0] ?? [1, 1])
        const sorted = some.toSorted(([a], [b]) => a - b)
        const [plain, mixed] = await Promise.all([
          read(profile(...sorted.map(lineOf))),
          read(profile(...some.toReversed().map(lineOf), ...again.map(lineOf)), {}, 7),
        ])
        expect(flatten(mixed)).toEqual(flatten(plain))
        const all = some.reduce((sum, [line]) => sum + line, 0)
        expect(sumLines(mixed.files).statements?.found).toBe(all)
      }),
    )
  })

  it('names its modes: where profiles were put together only whether a block ran is kept', async () => {
    const result = await read('mode: atomic\na.go:1.1,2.2 1 99999999999\nmode: set\na.go:1.1,2.2 1 0\n')
    expect(result).toMatchObject({
      format: 'go',
      definition: 'go.block@1',
      dialect: 'atomic+set',
      tool: { name: 'go' },
    })
    expect(printFiles(result)).toEqual(['a.go 1-2|| - -'])
  })

  it('is refused when blocks of one file come from different versions of it', async () => {
    expect(await refusalOf(profile('a.go:1.1,4.2 2 1', 'a.go:1.1,4.2 3 1'))).toBe('report_contradictory')
    expect(await refusalOf(profile('a.go:1.1,4.2 2 1', 'a.go:5.1,6.2 1 1', 'a.go:1.1,4.2 3 1'))).toBe(
      'report_contradictory',
    )
    expect(await refusalOf(profile('a.go:1.1,4.2 2 1', 'a.go:4.1,6.2 1 1'))).toBe('report_contradictory')
    expect(await refusalOf(profile('a.go:1.1,4.2 2 1', 'a.go:2.1,3.2 1 1'))).toBe('report_contradictory')
    expect(await files('a.go:1.1,4.2 2 1', 'a.go:4.2,6.2 1 1', 'b.go:4.1,6.2 1 1')).toHaveLength(2)
  })

  it('is refused without a mode, and taken without a block: nothing was to be measured', async () => {
    expect(await refusalOf('a.go:1.1,4.2 2 1\n')).toBe('report_invalid')
    expect(printFiles(await read('mode: count\n'))).toEqual([])
  })

  it('is incomplete when it breaks off within a line', async () => {
    const result = await read(profile('a.go:1.1,4.2 2 1', 'a.go:5.1,6').trimEnd())
    expect(result.incomplete).toMatch(/broke off/)
    expect(printFiles(result)).toEqual(['a.go 1-4|| - -'])
    expect((await read(profile('a.go:1.1,4.2 2 1').trimEnd())).incomplete).toBeUndefined()
  })

  it('lists lines that are no blocks; a path may hold anything', async () => {
    const result = await read(profile('C:\\a b:1.go:1.1,2.2 1 1\r', 'what', 'a.go:0.1,2.2 1 1', 'a.go:3.2,2.2 1 1', ''))
    expect(printFiles(result)).toEqual(['C:\\a b:1.go 1-2|| - -'])
    expect(result.refused.first.map(({ where }) => where)).toEqual(['line 3', 'line 4', 'line 5'])
  })

  it('costs nothing for the value of a line number', async () => {
    expect(await refusalOf(profile('a.go:1.1,2147483647.2 1 1'))).toBe('too_many_lines')
  })

  it('binary coverage is refused with what to send instead', async () => {
    expect(await refusalOf('\0cvm\x01\0\0\0')).toBe('no_lines')
    expect(await refusalOf('\0cwm\x01\0\0\0')).toBe('no_lines')
  })

  describe('import paths', () => {
    const block = (path: string): string => `${path}:1.1,2.2 1 1`
    const resolved = async (tree: string[], ...paths: string[]): Promise<string[]> => {
      const result = await read(profile(...paths.map(block)), { tree: new Set(tree) })
      return [...result.files].map(({ path, unresolved }) => `${path}${unresolved === true ? ' ?' : ''}`)
    }

    it('are the path of the module and the path below its go.mod', async () => {
      const tree = ['go.mod', 'main.go', 'internal/a/x.go', 'tools/go.mod', 'tools/x.go']
      expect(
        await resolved(tree, 'acme.com/app/main.go', 'acme.com/app/internal/a/x.go', 'other.org/tools/v2/x.go'),
      ).toEqual(['internal/a/x.go', 'main.go', 'tools/x.go'])
    })

    it('one module has one path: a file of the standard library is not one of ours', async () => {
      const tree = ['go.mod', 'quote.go', 'sub/atoi.go']
      expect(await resolved(tree, 'acme.com/app/quote.go', 'acme.com/app/sub/atoi.go', 'strconv/quote.go')).toEqual([
        'quote.go',
        'strconv/quote.go ?',
        'sub/atoi.go',
      ])
    })

    it('what could be two files, or of two modules, is kept and flagged', async () => {
      expect(await resolved(['go.mod', 'x.go'], 'a.com/x.go', 'b.com/x.go')).toEqual(['a.com/x.go ?', 'b.com/x.go ?'])
      expect(await resolved(['a/go.mod', 'a/x.go', 'b/go.mod', 'b/x.go'], 'm.com/x.go')).toEqual(['m.com/x.go ?'])
    })

    it('may be relative, or absolute outside of modules', async () => {
      expect(await resolved(['x.go', 'y.go'], './x.go', '_/builds/app/y.go')).toEqual(['x.go', 'y.go'])
    })
  })
})
