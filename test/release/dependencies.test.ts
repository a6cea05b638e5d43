import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const read = (file: string): Record<string, Record<string, unknown>> =>
  JSON.parse(readFileSync(join(root, file), 'utf8')) as Record<string, Record<string, unknown>> // our own files

describe('the dependencies', () => {
  const manifest = read('package.json')
  const locked = Object.entries(read('package-lock.json')['packages'] ?? {}) as [string, Record<string, unknown>][]

  it('have install scripts only where package.json says whether these run, and only that of node runs', () => {
    const withScripts = locked.filter(([, one]) => one['hasInstallScript'] === true)
    const names = withScripts.map(([path]) => path.replace(/^.*node_modules\//, ''))
    const allowed = manifest['allowScripts'] ?? {}
    expect(Object.keys(allowed).toSorted()).toEqual(names.toSorted())
    expect(Object.entries(allowed).filter(([, runs]) => runs !== false)).toEqual([['node', true]])
    // What a user installs runs none.
    expect(locked.find(([path]) => path === 'node_modules/node')?.[1]['dev']).toBe(true)
  })

  it('have exact versions, and a digest each', () => {
    const versions = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}),
    )
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[a-z0-9.]+)?$/.test(String(version)))).toEqual([])
    const without = locked.filter(
      ([path, one]) => path !== '' && one['link'] !== true && one['integrity'] === undefined,
    )
    expect(without.filter(([, one]) => one['inBundle'] !== true).map(([path]) => path)).toEqual([])
  })
})
