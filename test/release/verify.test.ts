import { execFileSync, spawnSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Made, provenanceOf, readReleaseKey, signProvenance } from '../../release/provenance.ts'
import { names, parseSums, printSums, verifyRelease } from '../../release/verify.ts'
import { preAuthEncoding } from '../../src/log/statement.ts'
import { printVkey } from '../../src/log/vkey.ts'
import { sha256Hex } from '../../src/record/sha256.ts'

const pemOf = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const made = (subjects: Made['subjects']): Made => ({
  subjects,
  version: '0.1.0',
  tag: 'v0.1.0',
  commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
  source: 'https://git.example/proofline',
  lockSha256: 'a'.repeat(64),
  node: { version: '26.10.0', sha256: 'b'.repeat(64) },
  npm: '11.0.0',
  sourceDateEpoch: 1_795_410_000,
  builder: 'urn:example',
  invocation: undefined,
  startedOn: new Date(0),
  finishedOn: new Date(1),
})

let folder: string
let elsewhere: string
let pem: string
let vkey: string
const path = (name: string): string => join(folder, name)
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'proofline-verify-'))
  elsewhere = mkdtempSync(join(tmpdir(), 'proofline-verify-'))
  pem = pemOf()
  const key = await readReleaseKey(pem)
  vkey = printVkey(key)
  writeFileSync(path('proofline-0.1.0.tgz'), 'a package')
  const subject = { name: 'proofline-0.1.0.tgz', sha256: sha256Hex(readFileSync(path('proofline-0.1.0.tgz'))) }
  writeFileSync(path(names.provenance), await signProvenance(provenanceOf(made([subject])), key))
  await sign()
})
afterEach(() => {
  for (const one of [folder, elsewhere]) rmSync(one, { recursive: true })
})

async function sign(): Promise<void> {
  const listed = ['proofline-0.1.0.tgz', names.provenance]
  const sums = printSums(listed.map((name) => ({ name, sha256: sha256Hex(readFileSync(path(name))) })))
  writeFileSync(path(names.sums), sums)
  writeFileSync(path(names.signature), await (await readReleaseKey(pem)).sign(Buffer.from(sums)))
}

describe('a release', () => {
  it('is verified by key, sums, signature and provenance, and says of which commit it is', async () => {
    expect((await verifyRelease(folder, vkey)).join('\n')).toContain(
      'of commit 4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
    )
  })

  it.each<[string, RegExp, () => void | Promise<void>]>([
    ['a changed package', /is not what SHA256SUMS says/, () => appendFileSync(path('proofline-0.1.0.tgz'), '!')],
    ['changed sums', /is not by this key/, () => appendFileSync(path(names.sums), `${'0'.repeat(64)}  x\n`)],
    ['a further file', /does not name more\.tgz/, () => writeFileSync(path('more.tgz'), '')],
    [
      'the provenance of another package',
      /is of another proofline-0\.1\.0\.tgz/,
      async () => {
        const other = { name: 'proofline-0.1.0.tgz', sha256: 'c'.repeat(64) }
        writeFileSync(
          path(names.provenance),
          await signProvenance(provenanceOf(made([other])), await readReleaseKey(pem)),
        )
        await sign()
      },
    ],
    [
      'the provenance of another key',
      /no trusted signature/,
      async () => {
        const subject = { name: 'proofline-0.1.0.tgz', sha256: sha256Hex(readFileSync(path('proofline-0.1.0.tgz'))) }
        writeFileSync(
          path(names.provenance),
          await signProvenance(provenanceOf(made([subject])), await readReleaseKey(pemOf())),
        )
        await sign()
      },
    ],
    [
      'a provenance of nothing',
      /is of no package/,
      async () => {
        writeFileSync(path(names.provenance), await signProvenance(provenanceOf(made([])), await readReleaseKey(pem)))
        await sign()
      },
    ],
  ])('is refused with %s', async (_, said, spoil) => {
    // oxfmt-ignore
    await spoil()
    await expect(verifyRelease(folder, vkey)).rejects.toThrow(said)
  })

  it('is refused under another key', async () => {
    await expect(verifyRelease(folder, printVkey(await readReleaseKey(pemOf())))).rejects.toThrow('is not by this key')
  })

  it('is verified by openssl and sha256sum alone, the provenance too', () => {
    const publicKey = join(elsewhere, 'release.pub')
    writeFileSync(publicKey, createPublicKey(pem).export({ type: 'spki', format: 'pem' }))
    const verify = (signature: string, over: string): string =>
      execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', publicKey, '-rawin', '-in', over, '-sigfile', signature], { encoding: 'utf8' }) // oxfmt-ignore
    expect(verify(path(names.signature), path(names.sums))).toContain('Signature Verified Successfully')
    expect(execFileSync('sha256sum', ['--check', names.sums], { cwd: folder, encoding: 'utf8' })).toContain('tgz: OK')
    const envelope = JSON.parse(readFileSync(path(names.provenance), 'utf8')) as { payloadType: string; payload: string; signatures: { sig: string }[] } // oxfmt-ignore
    writeFileSync(
      join(elsewhere, 'signed'),
      preAuthEncoding(envelope.payloadType, Buffer.from(envelope.payload, 'base64')),
    )
    writeFileSync(join(elsewhere, 'signature'), Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'))
    expect(verify(join(elsewhere, 'signature'), join(elsewhere, 'signed'))).toContain('Signature Verified Successfully')
  })

  it('is checked by a command that ends with 1 when something is wrong, and with 2 when it is not asked right', () => {
    const check = (...args: string[]) =>
      spawnSync(process.execPath, [join(import.meta.dirname, '../../release/check.ts'), ...args], { encoding: 'utf8' })
    expect(check(folder, '--key', vkey)).toMatchObject({ status: 0, stderr: '' })
    appendFileSync(path('proofline-0.1.0.tgz'), '!')
    expect(check(folder, '--key', vkey)).toMatchObject({ status: 1, stderr: 'error: proofline-0.1.0.tgz is not what SHA256SUMS says\n' }) // oxfmt-ignore
    expect(check(folder).status).toBe(2)
  })
})

describe('the key of a release', () => {
  it('is Ed25519 and nothing else', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const other = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    await expect(readReleaseKey(other)).rejects.toThrow('Ed25519')
  })
})

describe('SHA256SUMS', () => {
  it('takes no line that names a file elsewhere', () => {
    const sum = 'd'.repeat(64)
    expect(parseSums(printSums([{ name: 'a.tgz', sha256: sum }]))).toEqual([{ name: 'a.tgz', sha256: sum }])
    for (const line of [`${sum}  ../a.tgz`, `${sum} a.tgz`, `${sum.slice(1)}  a.tgz`, 'x'])
      expect(() => parseSums(`${line}\n`)).toThrow('a line that is none')
  })
})

describe('npm run release', () => {
  it('makes nothing of a checkout with changes, of a commit without a tag, or without a key', () => {
    const program = join(import.meta.dirname, '../../release/release.ts')
    const { status, stderr } = spawnSync(process.execPath, [program, '--out', join(folder, 'out')], {
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^error: (?:the checkout has changes|HEAD has no tag v|--key is missing)/)
  })
})

describe('the image', () => {
  it('is labelled with source, revision, version and licence', () => {
    const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8')
    const final = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
    for (const [label, value] of [
      ['source', '${SOURCE}'],
      ['revision', '${REVISION}'],
      ['version', '${VERSION}'],
      ['licenses', 'Apache-2.0'],
    ])
      // oxfmt-ignore
      expect(final).toContain(`org.opencontainers.image.${label}="${value}"`)
    for (const name of ['SOURCE', 'REVISION', 'VERSION']) expect(final).toMatch(new RegExp(`^ARG ${name}=`, 'm'))
  })
})
