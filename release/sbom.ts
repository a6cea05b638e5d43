import { sha256Hex } from '../src/record/sha256.ts'

/**
 * npm's bill of materials made complete and repeatable: npm writes the time and a random name into it, calls the package by its folder, and
 * knows no software that is no npm package. All pure: the same lock file, release time and parts give the same bytes.
 */

/** Software in the release that npm does not know. */
export interface Part {
  name: string
  version: string | undefined
  purl: string
  description: string
  license: string | undefined
  cpe?: string
  sha256?: string
  /** The npm package that it lies in; undefined: what the program runs on. */
  within?: string
}

type Json = Record<string, unknown>

/** CycloneDX 1.5. `raw` is what `npm sbom` printed. */
export function completeCycloneDx(raw: string, parts: readonly Part[], name: string, at: Date): string {
  const { serialNumber: _, ...bom } = JSON.parse(raw) as Json & { components: Json[] }
  const metadata = objectOf(bom['metadata'])
  const components = bom.components.map((component) => {
    const inside = parts.filter(({ within }) => within === component['name'])
    return inside.length === 0 ? component : { ...component, components: inside.map(toComponent) }
  })
  const underneath = parts.filter(({ within }) => within === undefined).map(toComponent)
  const complete = {
    ...bom,
    metadata: { ...metadata, timestamp: at.toISOString(), component: { ...objectOf(metadata['component']), name } },
    components: [...components, ...underneath],
  }
  return print({ ...complete, serialNumber: `urn:uuid:${uuidOf(complete)}` })
}

function toComponent({ name, version, purl, description, license, cpe, sha256 }: Part): Json {
  return {
    'bom-ref': purl,
    type: 'application',
    name,
    ...(version === undefined ? {} : { version }),
    description,
    purl,
    ...(cpe === undefined ? {} : { cpe }),
    ...(sha256 === undefined ? {} : { hashes: [{ alg: 'SHA-256', content: sha256 }] }),
    ...(license === undefined ? {} : { licenses: [{ license: { id: license } }] }),
  }
}

/** SPDX 2.3. */
export function completeSpdx(raw: string, parts: readonly Part[], at: Date): string {
  const { documentNamespace: _, ...document } = JSON.parse(raw) as Json & { packages: Json[]; relationships: Json[] }
  const [described] = document['documentDescribes'] as string[] // npm names one
  const idOf = (name: string | undefined): unknown =>
    name === undefined ? described : document.packages.find((one) => one['name'] === name)?.['SPDXID']
  const added = parts.map((part, i) => ({ part, id: `SPDXRef-Part-${i + 1}` }))
  const complete = {
    ...document,
    creationInfo: { ...objectOf(document['creationInfo']), created: `${at.toISOString().slice(0, 19)}Z` },
    packages: [...document.packages, ...added.map(({ part, id }) => toPackage(part, id))],
    relationships: [
      ...document.relationships,
      ...added.map(({ part, id }) => ({
        spdxElementId: idOf(part.within),
        relatedSpdxElement: id,
        relationshipType: part.within === undefined ? 'DEPENDS_ON' : 'CONTAINS',
      })),
    ],
  }
  const { name } = document
  return print({ ...complete, documentNamespace: `https://spdx.org/spdxdocs/${String(name)}-${uuidOf(complete)}` })
}

function toPackage({ name, version, purl, description, license, cpe, sha256 }: Part, id: string): Json {
  return {
    name,
    SPDXID: id,
    ...(version === undefined ? {} : { versionInfo: version }),
    description,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseDeclared: license ?? 'NOASSERTION',
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
      ...(cpe === undefined
        ? []
        : [{ referenceCategory: 'SECURITY', referenceType: 'cpe23Type', referenceLocator: cpe }]),
    ],
    ...(sha256 === undefined ? {} : { checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }] }),
  }
}

/** A UUID of version 8 (RFC 9562: by a method of one's own), made of what it names. */
function uuidOf(value: unknown): string {
  const hex = sha256Hex(Buffer.from(JSON.stringify(value)))
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const objectOf = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {})
const print = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`
