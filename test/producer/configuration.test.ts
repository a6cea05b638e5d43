import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Configuration, readConfiguration, readGivenConfiguration } from '../../src/producer/configuration.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'proofline-configuration-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const read = (cwd = '.', given: string[] = []): Promise<Configuration> =>
  readConfiguration(folder, join(folder, cwd), given)
const digestOf = async (path: string): Promise<string | undefined> =>
  (await read()).files?.find((file) => file.path === path)?.sha256

describe('readConfiguration', () => {
  it('finds what decides what is measured, from the top down to where the command runs', async () => {
    write('.nycrc.json', '{}')
    write('.coveragerc', '[run]\n')
    write('pom.xml', '<project/>')
    write('build.gradle.kts', 'x')
    write('.simplecov', 'x')
    write('codecov.yml', 'x')
    write('README.md', 'x')
    write('packages/a/vitest.config.ts', 'x')
    write('packages/b/jest.config.js', 'x')
    const paths = async (cwd: string) => (await read(cwd)).files?.map(({ path }) => path)
    expect(await paths('.')).toEqual(['.coveragerc', '.nycrc.json', '.simplecov', 'build.gradle.kts', 'pom.xml'])
    expect(await paths('packages/a')).toContain('packages/a/vitest.config.ts')
    expect(await paths('packages/a')).not.toContain('packages/b/jest.config.js')
  })

  it('is undefined where there is nothing', async () => {
    expect(await read()).toEqual({ files: undefined, contract: undefined })
  })

  it('digests the file as git keeps it, whatever ends its lines', async () => {
    write('.coveragerc', '[run]\r\nbranch = true\r\n')
    expect(await digestOf('.coveragerc')).toBe(sha256('[run]\nbranch = true\n'))
  })

  it('takes of package.json what is about coverage, in whatever order, and no dependency', async () => {
    write('package.json', '{"name":"x","version":"1","jest":{"b":1,"a":[2]},"nyc":{}}')
    const before = (await read()).files
    expect(before?.map(({ path }) => path)).toEqual(['package.json#jest', 'package.json#nyc'])
    write('package.json', '{"version":"2","dependencies":{"y":"1"},"nyc":{},"jest":{"a":[2],"b":1}}')
    expect((await read()).files).toEqual(before)
    write('package.json', '{"jest":{"a":[3],"b":1},"nyc":{}}')
    expect((await read()).files).not.toEqual(before)
    write('package.json', '{"name":"x"}')
    expect((await read()).files).toBeUndefined()
    write('package.json', 'no json')
    expect((await read()).files).toBeUndefined()
  })

  it.each([
    ['pyproject.toml', '[project]\nversion = "1"\n', '[tool.coverage.run]\nomit = [\n  "a",\n]\n'],
    ['setup.cfg', '[metadata]\nversion = 1\n', '[coverage:run]\nbranch = True\n'],
    ['tox.ini', '[tox]\nenvlist = py3\n', '[testenv]\ncommands = pytest --cov\n'],
  ])('takes of %s the sections about coverage only', async (name, other, about) => {
    write(name, other)
    expect(await digestOf(name)).toBeUndefined()
    write(name, `${other}\n${about}`)
    expect(await digestOf(name)).toBe(sha256(about))
    write(name, `${other.replace('1', '2')}\n${about}\n${other}`)
    expect(await digestOf(name)).toBe(sha256(about))
    write(name, `${about}x = 1\n`)
    expect(await digestOf(name)).not.toBe(sha256(about))
  })

  it('adds what is named, also by a pattern, and refuses what is not there', async () => {
    write('ci/cov/a.ini', 'a')
    write('ci/cov/b.ini', 'b')
    expect((await read('.', ['ci/cov/*.ini'])).files).toEqual([
      { path: 'ci/cov/a.ini', sha256: sha256('a') },
      { path: 'ci/cov/b.ini', sha256: sha256('b') },
    ])
    await expect(read('.', ['no.ini'])).rejects.toThrow('--configuration no.ini is no file')
  })

  it('digests the contract', async () => {
    write('proofline.contract.yaml', 'x')
    expect((await read()).contract).toBe(sha256('x'))
  })
})

describe('readGivenConfiguration', () => {
  it('takes the named files only', async () => {
    write('.nycrc', '{}')
    write('x.ini', 'x')
    expect(await readGivenConfiguration(folder, folder, ['x.ini'])).toEqual({
      files: [{ path: 'x.ini', sha256: sha256('x') }],
      contract: undefined,
    })
    expect(await readGivenConfiguration(folder, folder, [])).toEqual({ files: undefined, contract: undefined })
  })
})
