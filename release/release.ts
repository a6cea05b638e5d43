import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { printVkey } from '../src/log/vkey.ts'
import { sha256Hex } from '../src/record/sha256.ts'
import { clone, linkModules, pack, run, textOf } from './build.ts'
import { type Manifest, partsOf } from './parts.ts'
import { provenanceOf, readReleaseKey, signProvenance } from './provenance.ts'
import { completeCycloneDx, completeSpdx } from './sbom.ts'
import { names, printSums, verifyRelease } from './verify.ts'

/** `npm run release -- --key FILE [--out FOLDER] [--publish]`, or `--dry-run`: docs/release.md. */

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    key: { type: 'string' },
    out: { type: 'string', default: 'release-out' },
    publish: { type: 'boolean', default: false },
  },
})
const isDry = values['dry-run']
const checkout = resolve(import.meta.dirname, '..')
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function release(): Promise<void> {
  const startedOn = new Date()
  const commit = textOf(checkout, 'git', ['rev-parse', 'HEAD'])
  const manifest = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as Manifest // our own
  const tag = textOf(checkout, 'git', ['tag', '--points-at', 'HEAD']).split('\n').find((one) => one === `v${manifest.version}`) // oxfmt-ignore
  if (!isDry) refuse(tag, manifest.version)
  const pem = values.key === undefined ? throwawayKey() : readFileSync(values.key, 'utf8')
  const key = await readReleaseKey(pem)
  const sourceDateEpoch = Number(textOf(checkout, 'git', ['show', '--no-patch', '--format=%ct', 'HEAD']))
  const out = resolve(values.out)
  mkdirSync(out, { recursive: true })
  if (readdirSync(out).length > 0) throw new Error(`${out} is not empty`)

  const work = mkdtempSync(join(tmpdir(), 'proofline-release-'))
  try {
    const [first, second] = [join(work, 'first'), join(work, 'a', 'second')]
    const twin = join(work, 'twin')
    for (const folder of [join(work, 'a'), twin]) mkdirSync(folder)
    clone(checkout, commit, first)
    if (isDry) linkModules(checkout, first)
    else {
      run(first, 'npm', ['ci', '--no-audit', '--no-fund'])
      run(first, 'npm', ['run', '--silent', 'check'])
      run(first, 'npm', ['test'])
    }
    const name = pack(first, out, sourceDateEpoch)
    // The same commit elsewhere: a package that is not the same bytes could not be made again by anybody.
    clone(checkout, commit, second)
    linkModules(first, second)
    pack(second, twin, sourceDateEpoch)
    const bytes = readFileSync(join(out, name))
    if (!bytes.equals(readFileSync(join(twin, name)))) throw new Error(`${name}, made twice, is not the same bytes`)
    say(`${name}: made twice, the same bytes`)

    const parts = partsOf(join(first, 'node_modules'), manifest)
    const at = new Date(sourceDateEpoch * 1000)
    const bom = (format: string): string =>
      textOf(first, 'npm', ['sbom', '--package-lock-only', '--omit=dev', `--sbom-format=${format}`])
    writeFileSync(join(out, names.cycloneDx), completeCycloneDx(bom('cyclonedx'), parts, manifest.name, at))
    writeFileSync(join(out, names.spdx), completeSpdx(bom('spdx'), parts, at))

    const digests = (files: readonly string[]) =>
      files.map((file) => ({ name: file, sha256: sha256Hex(readFileSync(join(out, file))) }))
    const statement = provenanceOf({
      subjects: digests([name, names.cycloneDx, names.spdx]),
      version: manifest.version,
      tag,
      commit,
      source: sourceOf(),
      lockSha256: sha256Hex(readFileSync(join(first, 'package-lock.json'))),
      node: { version: process.versions.node, sha256: sha256Hex(readFileSync(process.execPath)) }, // oxfmt-ignore
      npm: textOf(first, 'npm', ['--version']),
      sourceDateEpoch,
      ...builderOf(process.env),
      startedOn,
      finishedOn: new Date(),
    })
    writeFileSync(join(out, names.provenance), await signProvenance(statement, key))
    const sums = printSums(digests([name, names.provenance, names.cycloneDx, names.spdx]))
    writeFileSync(join(out, names.sums), sums)
    writeFileSync(join(out, names.signature), await key.sign(Buffer.from(sums)))
    for (const line of await verifyRelease(out, printVkey(key))) say(line)
    say(`key ${printVkey(key)}${values.key === undefined ? ' (made for this dry run, and gone)' : ''}`)
    if (values.publish && !isDry) run(out, 'npm', ['publish', '--provenance', '--access', 'public', join(out, name)])
  } finally {
    rmSync(work, { recursive: true })
  }
}

function refuse(tag: string | undefined, version: string): void {
  if (textOf(checkout, 'git', ['status', '--porcelain']) !== '')
    throw new Error('the checkout has changes: commit or remove them')
  if (tag === undefined) throw new Error(`HEAD has no tag v${version}: a release is made of what was tagged`)
  if (values.key === undefined) throw new Error('--key is missing: the PEM file of the release key')
  // npm takes provenance from a CI system that vouches for the job, and from nobody else.
  if (
    values.publish &&
    process.env['ACTIONS_ID_TOKEN_REQUEST_URL'] === undefined &&
    process.env['SIGSTORE_ID_TOKEN'] === undefined
  )
    throw new Error('--publish needs an OIDC token of GitHub Actions or GitLab: npm publish --provenance signs with it')
}

const throwawayKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

/** The remote, where anybody could read it; a path or a credential says nothing to others. */
function sourceOf(): string | undefined {
  const remotes = textOf(checkout, 'git', ['remote', '-v']).split('\n')
  const url = remotes.map((line) => line.split(/\s/)[1] ?? '').find((one) => one.startsWith('https://'))
  return url === undefined || url.includes('@') ? undefined : url
}

function builderOf(env: NodeJS.ProcessEnv): { builder: string; invocation: string | undefined } {
  const {
    GITHUB_SERVER_URL: server,
    GITHUB_WORKFLOW_REF: workflow,
    GITHUB_REPOSITORY: repository,
    GITHUB_RUN_ID: id,
  } = env
  if (server === undefined || workflow === undefined)
    return { builder: 'urn:proofline:builder:by-hand', invocation: undefined }
  return { builder: `${server}/${workflow}`, invocation: `${server}/${repository}/actions/runs/${id}` }
}

try {
  await release()
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
