import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { verifyEd25519 } from '../src/log/ed25519.ts'
import { openStatement } from '../src/log/statement.ts'
import { parseVkey } from '../src/log/vkey.ts'
import { sha256Hex } from '../src/record/sha256.ts'
import { inTotoType } from './provenance.ts'

/** The files of a release, beside the package itself. */
export const names = {
  sums: 'SHA256SUMS',
  signature: 'SHA256SUMS.sig',
  provenance: 'provenance.intoto.json',
  cycloneDx: 'sbom.cdx.json',
  spdx: 'sbom.spdx.json',
} as const

/** As `sha256sum` prints and `sha256sum --check` reads. */
export const printSums = (sums: readonly { name: string; sha256: string }[]): string =>
  sums.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('')

export function parseSums(text: string): { name: string; sha256: string }[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, sha256 = '', name = ''] = /^([0-9a-f]{64}) {2}([A-Za-z0-9._-]+)$/.exec(line) ?? []
      if (name === '') throw new Error(`${names.sums} has a line that is none: ${JSON.stringify(line.slice(0, 100))}`)
      return { name, sha256 }
    })
}

/** Each check in words. Throws an Error at the first that fails. `vkey` comes from elsewhere than the folder. */
export async function verifyRelease(folder: string, vkey: string): Promise<string[]> {
  const key = parseVkey(vkey)
  const read = (name: string): Buffer => readFileSync(join(folder, name))
  const text = read(names.sums)
  if (!(await verifyEd25519(key.publicKey, text, read(names.signature))))
    throw new Error(`${names.signature} is not by this key over ${names.sums}`)
  const sums = parseSums(text.toString())
  for (const { name, sha256 } of sums)
    if (sha256Hex(read(name)) !== sha256) throw new Error(`${name} is not what ${names.sums} says`)
  const unlisted = readdirSync(folder).filter(
    (name) => name !== names.sums && name !== names.signature && !sums.some((one) => one.name === name),
  )
  if (unlisted.length > 0) throw new Error(`${names.sums} does not name ${unlisted.join(', ')}`)
  const { payloadType, payload } = await openStatement(read(names.provenance).toString().trimEnd(), [key])
  if (payloadType !== inTotoType) throw new Error(`${names.provenance} holds ${payloadType}`)
  const { subject, predicate } = JSON.parse(Buffer.from(payload).toString()) as Statement // signed by this key
  for (const { name, digest } of subject)
    if (sums.find((one) => one.name === name)?.sha256 !== digest.sha256)
      throw new Error(`${names.provenance} is of another ${name}`)
  if (!subject.some(({ name }) => name.endsWith('.tgz'))) throw new Error(`${names.provenance} is of no package`)
  return [
    `${names.signature}: by ${key.name}`,
    ...sums.map(({ name }) => `${name}: as listed`),
    `${names.provenance}: of commit ${predicate.buildDefinition.externalParameters.commit}, made by ${predicate.runDetails.builder.id}`,
  ]
}

interface Statement {
  subject: { name: string; digest: { sha256: string } }[]
  predicate: {
    buildDefinition: { externalParameters: { commit: string } }
    runDetails: { builder: { id: string } }
  }
}
