import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PathOptions } from '../../src/formats/paths.ts'
import { createPathResolver } from '../../src/formats/path-resolver.ts'
import { decodePath, toWrittenPath } from '../../src/formats/paths.ts'
import { printFiles, read, refusalOf } from './read.ts'

/** Each path as it is resolved; "?" in front of those that are kept and flagged. */
function resolve(paths: string[], options: PathOptions = {}): (string | undefined)[] {
  return createPathResolver(options)
    .resolve(paths.map(toWrittenPath))
    .map((to) => (typeof to === 'string' ? to : to.unresolved ? `?${to.path}` : to.path))
}

const refusal = (path: string, options: PathOptions = {}): string | undefined =>
  createPathResolver(options).refusal(toWrittenPath(path))

const tree = new Set(['index.js', 'src/index.js', 'src/a b/50%,c.js', 'lib/x.js', 'src/naïve.js'])

describe('createPathResolver', () => {
  it('keeps what is in the tree, and finds it behind ./ and .. and backslashes', () => {
    expect(
      resolve(
        ['src/index.js', './lib/x.js', 'lib/../src/index.js', 'src/./index.js', 'src\\index.js', 'src/a b/50%,c.js'],
        { tree },
      ),
    ).toEqual(['src/index.js', 'lib/x.js', 'src/index.js', 'src/index.js', 'src/index.js', 'src/a b/50%,c.js'])
  })

  it('keeps as written and flags what is not in the tree', () => {
    expect(resolve(['x.js', './src/none.js', 'dist/<define:DATA>', 'index.js/'], { tree })).toEqual([
      '?x.js',
      '?./src/none.js',
      '?dist/<define:DATA>',
      'index.js',
    ])
  })

  it('does not guess that a relative path begins somewhere deeper', () => {
    expect(resolve(['x.js'], { tree })).toEqual(['?x.js'])
  })

  it('finds a name in the other Unicode form', () => {
    expect(resolve(['src/naïve.js'], { tree })).toEqual(['src/naïve.js'])
  })

  it('maps absolute paths by the one folder that explains them', () => {
    expect(resolve(['/ci/src/index.js', '/ci/src/lib/x.js', '/ci/src/src/index.js'], { tree })).toEqual([
      'index.js',
      'lib/x.js',
      'src/index.js',
    ])
    expect(resolve(['C:\\work\\app\\src\\index.js', 'C:\\work\\app\\lib\\x.js'], { tree })).toEqual([
      'src/index.js',
      'lib/x.js',
    ])
  })

  it('flags an absolute path that two folders explain equally well', () => {
    expect(resolve(['/ci/src/index.js'], { tree })).toEqual(['?/ci/src/index.js'])
  })

  it('does not take a dependency for a file of the repository that is called the same', () => {
    const paths = [
      '/ci/app/src/index.js',
      '/ci/app/lib/x.js',
      '/ci/app/node_modules/y/index.js',
      '/ci/app/node_modules/y/lib/x.js',
      '/usr/include/index.js',
    ]
    expect(resolve(paths, { tree })).toEqual([
      'src/index.js',
      'lib/x.js',
      '?/ci/app/node_modules/y/index.js',
      '?/ci/app/node_modules/y/lib/x.js',
      '?/usr/include/index.js',
    ])
  })

  it('removes the root and the prefix that it is told', () => {
    expect(
      resolve(['/ci/src/src/index.js', '/ci/src/index.js', '/other/index.js'], { root: '/ci/src/', tree }),
    ).toEqual(['src/index.js', 'index.js', '?/other/index.js'])
    expect(resolve(['app/lib/x.js', './app/y.js'], { strip: 'app/' })).toEqual(['lib/x.js', 'app/y.js'])
    expect(resolve(['D:\\b\\src\\index.js'], { root: 'D:\\b', tree })).toEqual(['src/index.js'])
  })

  it('takes plain relative paths without a tree, and rewrites nothing but ./', () => {
    expect(resolve(['src/a.js', './src/a.js', '/ci/a.js', 'C:\\a.js', 'a/./b.js', 'a/../b.js'])).toEqual([
      'src/a.js',
      'src/a.js',
      '?/ci/a.js',
      '?C:\\a.js',
      '?a/./b.js',
      '?a/../b.js',
    ])
  })

  it.each([
    '',
    ' ',
    '.',
    './',
    '/',
    '../x',
    'a/../../x',
    'a\\..\\..\\x',
    'C:\\..\\x',
    '/../x',
    'a\0b',
    'a\nb',
    'a\u0085b',
    '\ud800',
    '/etc/passwd',
    '/proc/self/environ',
    '/dev/null',
    'x'.repeat(1_025),
    'д'.repeat(600),
  ])('refuses %j', (path) => {
    expect(refusal(path)).toBeTypeOf('string')
  })

  it.each([
    'x',
    '..x',
    'a/..b/c',
    '/dev/shm/b/x.c',
    '/etcetera/x.c',
    'a/../b',
    'x'.repeat(1_024),
    'resource://gre/modules/x.js',
    'self-hosted',
  ])('takes %j', (path) => {
    expect(refusal(path)).toBeUndefined()
  })

  it('never lets anything out of the repository', () => {
    const segment = fc.constantFrom('..', '.', '', 'a', 'src', 'index.js', 'C:', '\\', '..\\..')
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), fc.constantFrom('/', '\\'), (segments, separator) => {
        const path = segments.join(separator)
        if (refusal(path, { tree }) !== undefined) return
        const [to] = resolve([path], { tree })
        if (to !== undefined && !to.startsWith('?')) expect(tree.has(to)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('paths in bytes', () => {
  it('never become one text for two names', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
        const [one, other] = [decodePath(a), decodePath(b)]
        if (String(a) === String(b)) expect(one).toEqual(other)
        else expect([one.text, one.latin1 === undefined]).not.toEqual([other.text, other.latin1 === undefined])
      }),
      { numRuns: 5_000 },
    )
  })

  it('stay readable where they are not UTF-8', async () => {
    const report = Uint8Array.from([
      ...new TextEncoder().encode('SF:na'),
      0xef,
      ...new TextEncoder().encode('ve.c\nDA:1,1\nend_of_record\n'),
    ])
    const result = await read(report)
    expect(printFiles(result)).toEqual(['na\\xEFve.c 1|| - -'])
    expect(result.unresolved).toEqual({ count: 1, first: ['na\\xEFve.c'] })
  })

  it('are refused when a name as text looks like one as bytes', async () => {
    const text = (path: string): Uint8Array => new TextEncoder().encode(`SF:${path}\nDA:1,1\nend_of_record\n`)
    const latin1 = Uint8Array.from(text('a#').map((byte) => (byte === 0x23 ? 0xe9 : byte)))
    const result = await read(Uint8Array.from([...text('a\\xE9'), ...latin1]))
    expect(printFiles(result)).toEqual(['a\\xE9 1|| - -'])
    expect(result.refused.first).toEqual([
      { where: 'a\\xE9', reason: 'another file of the report has this name in another encoding' },
    ])
  })

  it('of a data: URL, which is a source and no path, become its digest', async () => {
    const result = await read(`SF:data:text/plain,${'secret'.repeat(1_000)}\nDA:1,1\nend_of_record\n`)
    expect([...result.files][0]?.path).toMatch(/^data:text\/plain;sha256=[0-9a-f]{64}$/)
  })
})

describe('a report', () => {
  it('whose every path is refused is refused', async () => {
    expect(await refusalOf('SF:../../etc/passwd\nDA:1,1\nend_of_record\n')).toBe('path_invalid')
    expect(await refusalOf('SF:a\0b\nDA:1,1\nend_of_record\n')).toBe('path_invalid')
    expect(await refusalOf('{"../x.js":{"statementMap":{},"s":{}}}')).toBe('path_invalid')
  })

  it('knows the blobs of its files', async () => {
    const [file] = [
      ...(await read('SF:/ci/lib/x.js\nDA:1,1\nend_of_record\n', { tree: new Map([['lib/x.js', 'abc']]) })).files,
    ]
    expect(file).toMatchObject({ path: 'lib/x.js', blob: 'abc' })
  })
})
