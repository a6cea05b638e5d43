import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expandFiles } from '../../src/producer/files.ts'
import { nameParts } from '../../src/producer/parts.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'proofline-files-'))
  for (const path of [
    'packages/b/coverage/lcov.info',
    'packages/a/coverage/lcov.info',
    'packages/a/node_modules/x/coverage/lcov.info',
    'odd[1].info',
    'b.xml',
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), 'x')
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

const expand = async (...patterns: string[]): Promise<string[]> =>
  (await expandFiles(patterns, folder, '--junit ')).map((file) => relative(folder, file))

describe('expandFiles', () => {
  it('takes paths and patterns, each file once, a pattern in order of names', async () => {
    expect(await expand('b.xml', 'packages/*/coverage/lcov.info', './packages/a/coverage/lcov.info')).toEqual([
      'b.xml',
      'packages/a/coverage/lcov.info',
      'packages/b/coverage/lcov.info',
    ])
  })

  it('takes a file whose name looks like a pattern as it is', async () => {
    expect(await expand('odd[1].info')).toEqual(['odd[1].info'])
  })

  it('leaves the reports of dependencies alone, unless they are named', async () => {
    expect(await expand('**/lcov.info')).toHaveLength(2)
    expect(await expand('**/node_modules/**/lcov.info')).toEqual(['packages/a/node_modules/x/coverage/lcov.info'])
  })

  it('refuses what matches nothing, by name', async () => {
    await expect(expand('packages/*/no.info')).rejects.toThrow(/^--junit packages\/\*\/no\.info matches no file in/)
    await expect(expand('no.info')).rejects.toThrow(/^--junit no\.info is no file in/)
    await expect(expand('packages')).rejects.toThrow(/is no file in/)
  })
})

describe('nameParts', () => {
  it('names files by their path in the checkout', () => {
    expect(nameParts(['/w/a/lcov.info', '/w/b/lcov.info'], '/w')).toEqual(['a/lcov.info', 'b/lcov.info'])
  })

  it('names files outside by their base name, with as many folders as tell them apart', () => {
    expect(nameParts(['/tmp/1/out/a.info', '/tmp/1/out/b.info'], '/w')).toEqual(['a.info', 'b.info'])
    expect(nameParts(['/tmp/1/out/x.info', '/tmp/2/out/x.info', '/tmp/y.info'], '/w')).toEqual([
      '1/out/x.info',
      '2/out/x.info',
      'y.info',
    ])
  })
})
