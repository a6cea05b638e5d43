import { describe, expect, it } from 'vitest'
import { printFiles, read, refusalOf } from './read.ts'

const line = (nr: number, mi: number, ci: number, mb = 0, cb = 0): string =>
  `<line nr="${nr}" mi="${mi}" ci="${ci}" mb="${mb}" cb="${cb}"/>`
const counter = (type: string, missed: number, covered: number): string =>
  `<counter type="${type}" missed="${missed}" covered="${covered}"/>`
const source = (name: string, lines: string): string => `<sourcefile name="${name}">${lines}</sourcefile>`
const aPackage = (name: string, files: string): string =>
  `<package name="${name}"><class name="${name}/C"/>${files}</package>`
const report = (content: string, name = 'demo'): string =>
  `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="${name}">${content}</report>`

describe('JaCoCo', () => {
  it('calls a line executed when one instruction was, and partial when another instruction or a branch was not', async () => {
    const lines = line(1, 0, 3) + line(2, 4, 0) + line(3, 1, 2) + line(4, 0, 5, 1, 3) + line(5, 2, 0, 2, 0)
    const result = await read(report(aPackage('org/x', source('A.java', lines + counter('METHOD', 1, 2)))))
    expect(result).toMatchObject({ format: 'jacoco', definition: 'jacoco.instruction@1' })
    expect(printFiles(result)).toEqual(['org/x/A.java 1|3-4|2,5 3/6 2/3'])
  })

  it('joins a file told twice to the better of both, in any order', async () => {
    const parts = [
      line(1, 2, 0) + line(2, 1, 1) + line(3, 0, 2, 2, 2),
      line(1, 1, 1) + line(2, 0, 2) + line(3, 0, 2, 1, 3),
    ]
    for (const [a = '', b = ''] of [parts, parts.toReversed()])
      expect(printFiles(await read(report(aPackage('p', source('A.kt', a) + source('A.kt', b)))))).toEqual([
        'p/A.kt 2|1,3| 3/4 -',
      ])
  })

  it('keeps groups apart, and takes the totals of the report from its own counters', async () => {
    const file = aPackage('p', source('A.java', line(1, 0, 1)))
    const totals = counter('LINE', 1, 1) + counter('BRANCH', 2, 4)
    const result = await read(
      report(`<group name="core">${file}</group><group name="app"><group name="web">${file}</group></group>${totals}`),
    )
    expect(printFiles(result)).toEqual(['app/web/p/A.java 1|| - -', 'core/p/A.java 1|| - -'])
    expect(result.declared).toEqual({ lines: { found: 2, executed: 1 }, branches: { found: 6, covered: 4 } })
  })

  it('tells the sessions that were joined, and no version that the report does not tell', async () => {
    const sessions = '<sessioninfo id="host-1" start="1" dump="2"/><sessioninfo id="host-2" start="1" dump="2"/>'
    const content = sessions + aPackage('p', source('A.java', line(1, 0, 1)))
    expect(await read(report(content))).toMatchObject({ testNames: ['host-1', 'host-2'] })
    expect((await read(report(content))).tool).toBeUndefined()
    expect((await read(report(content, 'Pester (09/01/2025 07:37:37)'))).tool).toEqual({ name: 'pester' })
  })

  it("says that gcovr's JaCoCo does not tell which lines ran", async () => {
    const bare = report(aPackage('p', source('a.cpp', '<line nr="1" mb="0" cb="2"/>')))
    expect(await refusalOf(bare)).toBe('no_lines')
    await expect(read(bare)).rejects.toThrow(/--cobertura/)
  })

  it('says that classes without source files are no lines, and takes a report about nothing', async () => {
    expect(await refusalOf(report(aPackage('p', '') + counter('LINE', 0, 7)))).toBe('no_lines')
    await expect(read(report(aPackage('p', '')))).rejects.toThrow(/debug/)
    expect(printFiles(await read(report('')))).toEqual([])
    expect(printFiles(await read(report('').replace('dtd">', 'dtd"[ ]>')))).toEqual([])
    expect(await refusalOf('<report name="sales"/>')).toBe('report_unrecognized')
  })

  it('lists lines that cannot be', async () => {
    const result = await read(report(aPackage('p', source('A.java', line(0, 0, 1) + line(2, 0, 1, 0, 70_000)))))
    expect(printFiles(result)).toEqual(['p/A.java 2|| - -'])
    expect(result.refused.first.map(({ where }) => where)).toEqual(['p/A.java', 'p/A.java'])
  })
})

describe('a package and file of JaCoCo', () => {
  const resolve = async (groups: [group: string, files: string[]][], tree: string[] | undefined): Promise<string[]> => {
    const packages = (files: string[]): string =>
      files
        .map((file) =>
          aPackage(
            file.slice(0, Math.max(0, file.lastIndexOf('/'))),
            source(file.slice(file.lastIndexOf('/') + 1), line(1, 0, 1)),
          ),
        )
        .join('')
    const content = groups
      .map(([group, files]) => (group === '' ? packages(files) : `<group name="${group}">${packages(files)}</group>`))
      .join('')
    const result = await read(report(content), { tree: tree && new Set(tree) })
    return [...result.files].map(({ path, unresolved }) => (unresolved === true ? `?${path}` : path))
  }
  const [core, web] = ['core/src/main/java/', 'web/src/main/java/']

  it('is the one file of the commit that ends so', async () => {
    expect(
      await resolve(
        [['', ['org/x/A.java', 'org/x/B.kt']]],
        [`${core}org/x/A.java`, 'src/main/kotlin/org/x/B.kt', `${core}y/A.java`],
      ),
    ).toEqual([`${core}org/x/A.java`, 'src/main/kotlin/org/x/B.kt'])
    expect(await resolve([['', ['org/x/A.java']]], ['xorg/x/A.java'])).toEqual(['?org/x/A.java'])
  })

  it('is kept and flagged while it could be another one', async () => {
    expect(await resolve([['', ['org/x/A.java']]], [`${core}org/x/A.java`, `${web}org/x/A.java`])).toEqual([
      '?org/x/A.java',
    ])
    expect(await resolve([['', ['org/x/A.java']]], undefined)).toEqual(['?org/x/A.java'])
    expect(await resolve([['', ['A.java']]], ['docs/A.java'])).toEqual(['?A.java'])
  })

  it('is found by where the other files of its group are', async () => {
    const tree = [`${core}p/A.java`, `${core}p/C.java`, `${web}p/A.java`, `${web}p/W.java`, `${core}Main.java`]
    expect(
      await resolve(
        [
          ['core', ['p/A.java', 'p/C.java', 'Main.java']],
          ['web', ['p/A.java', 'p/W.java']],
        ],
        tree,
      ),
    ).toEqual([`${core}Main.java`, `${core}p/A.java`, `${core}p/C.java`, `${web}p/A.java`, `${web}p/W.java`])
  })

  it('is not given to a group that only has a file of the same name', async () => {
    // `web` has a generated p/A.java, which is not in the commit.
    const tree = [`${core}p/A.java`, `${core}p/C.java`, `${web}p/W.java`]
    expect(
      await resolve(
        [
          ['core', ['p/A.java', 'p/C.java']],
          ['web', ['p/A.java', 'p/W.java']],
        ],
        tree,
      ),
    ).toEqual([`${core}p/A.java`, `${core}p/C.java`, '?web/p/A.java', `${web}p/W.java`])
  })
})
