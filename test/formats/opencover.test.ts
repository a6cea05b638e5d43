import { describe, expect, it } from 'vitest'
import { printFiles, read, refusalOf } from './read.ts'

const point = (vc: number, sl: number, el = sl, more = 'bec="0" bev="0" fileid="1"', sc = 1): string =>
  `<SequencePoint vc="${vc}" sl="${sl}" sc="${sc}" el="${el}" ec="2" ${more}/>`
const branch = (vc: number, sl: number, path: number, offset = 1): string =>
  `<BranchPoint vc="${vc}" sl="${sl}" path="${path}" offset="${offset}" fileid="1"/>`
const method = (token: string, points: string, branches = '', more = ''): string =>
  `<Method visited="false" ${more}><Summary numSequencePoints="99"/><MetadataToken>${token}</MetadataToken><Name>m</Name><FileRef uid="1"/><SequencePoints>${points}</SequencePoints><BranchPoints>${branches}</BranchPoints></Method>`
const module = (path: string, methods: string, hash = path): string =>
  `<Module hash="${hash}"><Files><File uid="1" fullPath="${path}"/></Files><Classes><Class><Methods>${methods}</Methods></Class></Classes></Module>`
const report = (modules: string, summary = '', attributes = ''): string =>
  `<?xml version="1.0" encoding="utf-8"?><CoverageSession ${attributes}>${summary}<Modules>${modules}</Modules></CoverageSession>`

describe('OpenCover', () => {
  it('derives lines from sequence points: all from start to end, executed when one of theirs was visited', async () => {
    const methods = method('1', point(1, 2, 4) + point(0, 4, 5) + point(0, 70, 130)) + method('2', point(0, 9))
    const result = await read(report(module('C:\\app\\A.cs', methods), '', 'Version="4.6.601.0"'))
    expect(result).toMatchObject({ format: 'opencover', definition: 'opencover.sequence-point@1', tool: { name: 'opencover', version: '4.6.601.0' } }) // oxfmt-ignore
    expect(printFiles(result)).toEqual(['C:\\app\\A.cs 2-4||5,9,70-130 - 1/2'])
    expect([...result.files][0]).toMatchObject({ statements: { found: 4, covered: 1 } })
  })

  it('calls a line partial when a branch or an exit of it was not taken', async () => {
    const points =
      point(1, 1) +
      point(1, 2) +
      point(1, 3, 3, 'bec="2" bev="1" fileid="1"') +
      point(1, 4, 4, 'bec="2" bev="2" fileid="1"')
    const branches = branch(1, 1, 0) + branch(0, 1, 1) + branch(1, 2, 0) + branch(1, 2, 1)
    expect(printFiles(await read(report(module('/a.cs', method('1', points, branches)))))).toEqual([
      '/a.cs 2,4|1,3| 3/4 1/1',
    ])
  })

  it('numbers files within a module, and joins modules that have one', async () => {
    const modules =
      module('/a.cs', method('1', point(1, 1))) +
      module('/b.cs', method('1', point(1, 2))) +
      module('/a.cs', method('1', point(0, 1) + point(0, 3)), 'again')
    expect(printFiles(await read(report(modules)))).toEqual(['/a.cs 1||3 - 1/2', '/b.cs 2|| - 1/1'])
  })

  it('has nothing to say of hidden code, of points without place, and of what was skipped', async () => {
    const methods = method('1', point(1, 16_707_566) + point(1, 0xf00f00) + '<SequencePoint/>' + point(1, 5, 0xfeefee))
    const skipped = '<Module skippedDueTo="Filter" hash="x"><ModulePath>x.dll</ModulePath><Classes/></Module>'
    const result = await read(report(skipped + module('/a.cs', methods)))
    expect(printFiles(result)).toEqual(['/a.cs 5|| - 1/1'])
    expect(result.refused.count).toBe(0)
  })

  it('lists points of files that the module does not name', async () => {
    const result = await read(report(module('/a.cs', method('1', point(1, 1) + point(1, 2, 2, 'fileid="7"')))))
    expect(printFiles(result)).toEqual(['/a.cs 1|| - -'])
    expect(result.refused.first).toEqual([{ where: 'module 1', reason: 'no file of the module has the uid "7"' }])
  })

  it('keeps the totals of its summary, which are of points and branch points', async () => {
    const summary =
      '<Summary numSequencePoints="15" visitedSequencePoints="9" numBranchPoints="6" visitedBranchPoints="3"/>'
    expect((await read(report(module('/a.cs', method('1', point(1, 1))), summary))).declared).toEqual({
      branches: { found: 6, covered: 3 },
      statements: { found: 15, covered: 9 },
    })
    expect(await refusalOf(report('', summary))).toBe('no_lines')
    expect(printFiles(await read(report('')))).toEqual([])
  })

  it('refuses a statement of two thousand million lines before it is gathered', async () => {
    expect(await refusalOf(report(module('/a.cs', method('1', point(1, 1, 999_999_999)))))).toBe('too_many_lines')
  })
})
