import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { verifyEd25519 } from '../../src/log/ed25519.ts'
import { openStatement } from '../../src/log/statement.ts'
import { parseTrustedKey } from '../../src/log/trusted-key.ts'
import { createSigningKey, parseVkey, printPrivateKey, printVkey } from '../../src/log/vkey.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { createCommandSigner } from '../../src/signing/command.ts'
import { type Guard, createGuard } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { type Signer, createSigner } from '../../src/signing/signer.ts'
import { createTree } from './tree.ts'

/** The real thing: a program in a process of its own, which does what it should not. */
const program = fileURLToPath(new URL('kms-program.ts', import.meta.url))
const ledger: LedgerName = 'main/unit'
const origin = (name: LedgerName): string => `localhost/${name}`
const tree = createTree()
let folder: string
let guard: Guard
let signer: Signer
let vkey: string

const behave = (mode: string) => writeFile(join(folder, 'mode'), mode)
async function addToKms(seed: number): Promise<string> {
  const bytes = new Uint8Array(32).fill(seed)
  const key = await createSigningKey(origin(ledger), 1, bytes)
  await writeFile(join(folder, 'kms'), `${printPrivateKey(key, bytes)}\n`, { flag: 'a' })
  return printVkey(key)
}
function open(timeoutMs = 20_000): Signer {
  const external = createCommandSigner({ command: [process.execPath, program, folder], timeoutMs })
  const keys = createKeys({ folder: join(folder, 'keys'), originOf: origin, statementName: 'localhost/main/statement', external }) // oxfmt-ignore
  return createSigner({ keys, guard, origin })
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kms-'))
  await behave('good')
  vkey = await addToKms(1)
  await mkdir(join(folder, 'keys'))
  await writeFile(join(folder, 'keys', 'main.unit.vkey'), `${vkey}\n`)
  guard = await createGuard(join(folder, 'guard'))
  signer = open()
})
afterEach(async () => {
  guard.close()
  await rm(folder, { recursive: true })
})

describe('a key behind signer.command', () => {
  it('signs checkpoints, and no secret of it lies here', async () => {
    for (const [mode, size, from] of [['good', 4, 0], ['no newline', 9, 4]] as const) {
      await behave(mode)
      const answer = await signer.sign(ledger, await tree.requestAt(size, from))
      if (answer.kind !== 'signed') expect.fail(answer.kind)
      expect(await openCheckpoint(answer.note, origin(ledger), [parseVkey(vkey)])).toMatchObject({ size })
    } // oxfmt-ignore
    expect(await readdir(join(folder, 'keys'))).toEqual(['main.unit.vkey'])
  })

  it.each([
    ['other bytes', 'does not verify'],
    ['zeroes', 'does not verify'],
    ['short', 'printed no Ed25519 signature'],
    ['url', 'printed no Ed25519 signature'],
    ['words', 'printed no Ed25519 signature'],
    ['nothing', 'printed no Ed25519 signature'],
    ['flood', 'printed more than a signature'],
    ['refuses', 'exited with 1: AccessDenied: the key is disabled'],
    ['deaf', 'exited with 3'],
  ])('case 24: that answers with %s signs nothing, and the same head is signed when it is well again', async (mode, why) => {
    await signer.sign(ledger, await tree.requestAt(4, 0))
    await behave(mode)
    await expect(signer.sign(ledger, await tree.requestAt(9, 4))).rejects.toThrow(why)
    await behave('good')
    // The guard has the head; no other one takes its place.
    expect(await signer.sign(ledger, await createTree('fork', 4).requestAt(9, 4))).toMatchObject({ kind: 'refused' })
    expect(await signer.sign(ledger, await tree.requestAt(9, 9))).toMatchObject({ kind: 'signed' })
  }) // oxfmt-ignore

  it('that hangs is ended with everything that it started', async () => {
    await signer.sign(ledger, await tree.requestAt(4, 0))
    await behave('hangs')
    const message = await open(3_000).sign(ledger, await tree.requestAt(9, 4)).then(() => '', String) // oxfmt-ignore
    const [, pid] = /did not answer within 3000 ms: (\d+)/.exec(message) ?? []
    expect(Number(pid)).toBeGreaterThan(0)
    await expect.poll(() => isAlive(Number(pid))).toBe(false)
    await behave('good')
    expect(await signer.sign(ledger, await tree.requestAt(9, 9))).toMatchObject({ kind: 'signed' })
  })

  it('that cannot be run is said by name', async () => {
    const external = createCommandSigner({ command: [join(folder, 'none')], timeoutMs: 5_000 })
    await expect(external(vkey, new Uint8Array(1))).rejects.toThrow('none cannot be run')
  })

  it('may be asked of Vault, by the script that is shipped: here with a stand-in for its command', async () => {
    const script = fileURLToPath(new URL('../../deploy/signer/sign-with-vault', import.meta.url))
    const [name = '', id = ''] = vkey.split('+')
    const wanted = `write -field=signature transit/sign/${name.replaceAll('/', '-')}-${id} input=-`
    const shim = `#!/bin/sh
[ "$*" = "${wanted}" ] || { echo "$*" >&2; exit 2; }
printf 'vault:v1:%s\\n' "$(base64 -d | ${process.execPath} ${program} ${folder} '${vkey}')"
`
    await writeFile(join(folder, 'vault'), shim, { mode: 0o755 })
    const external = createCommandSigner({ command: ['/bin/sh', '-c', `PATH=${folder}:$PATH exec ${script} "$1"`, 'sh'], timeoutMs: 20_000 }) // oxfmt-ignore
    const message = Buffer.from([0, 10, 255, 13, 10])
    expect(await verifyEd25519(parseVkey(vkey).publicKey, message, await external(vkey, message))).toBe(true)
  })

  it('is not made here: without its verifier key nothing begins', async () => {
    await expect(signer.vkey('main/changes')).rejects.toThrow(/put the verifier key of localhost\/main\/changes into .*main\.changes\.vkey/) // oxfmt-ignore
  })

  it('has the statements of the org beside it in a file, which are longer than a KMS takes', async () => {
    const opened = await openStatement(await signer.signStatement('a/b', Buffer.alloc(10_000)), [parseVkey(await signer.statementVkey())]) // oxfmt-ignore
    expect(opened.payload).toHaveLength(10_000)
    expect(await readdir(join(folder, 'keys'))).toContain('main.statement.key')
  })

  it('case 15: is rotated to another one there, which has to sign before anything rests on it', async () => {
    await signer.sign(ledger, await tree.requestAt(4, 0))
    const next = await createSigningKey(origin(ledger), 1, new Uint8Array(32).fill(2))
    const request = { replaces: vkey, atOnce: false, at: 0 }
    await expect(signer.rotate(ledger, { ...request, vkey: printVkey(next) })).rejects.toThrow('no key')
    await expect(signer.rotate(ledger, { ...request, vkey: vkey.replace('unit', 'changes') })).rejects.toThrow()
    expect(await readFile(join(folder, 'keys', 'main.unit.vkey'), 'utf8')).toBe(`${vkey}\n`)
    const second = await addToKms(2)
    expect(await signer.rotate(ledger, { ...request, vkey: second })).toMatchObject({ kind: 'changed', keys: [vkey, `${second} from=4`] }) // oxfmt-ignore
    const answer = await signer.sign(ledger, await tree.requestAt(5, 4))
    const keys = (await signer.keys(ledger)).map(parseTrustedKey)
    expect(answer.kind === 'signed' && (await openCheckpoint(answer.note, origin(ledger), keys)).signatures).toHaveLength(2) // oxfmt-ignore
    expect(await signer.retire(ledger, { vkey, at: 0 })).toMatchObject({ kind: 'changed' })
    expect(await signer.sign(ledger, await tree.requestAt(6, 5))).toMatchObject({ kind: 'signed' })
  })
})

/** What was killed and is waited for by nobody still has its number. */
async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  return !/^Z|^$/.test(stdout.trim())
}
