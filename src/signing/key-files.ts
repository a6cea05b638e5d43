import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createSigningKey, parsePrivateKey, printKeyId, printPrivateKey } from '../log/vkey.ts'
import type { SigningKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { ignoreAbsent, realFileEffects } from './durable-file.ts'

/** Secrets as files, 0600, in the form that Go tools read: the first key of an owner as `<stem>.key`, each later one as `<stem>.<key id>.key`. */

/** Every secret that lies there for `stem`. Throws when one is damaged, has another name, or is readable by others than owner and group. */
export async function readSecrets(stem: string, name: string): Promise<SigningKey[]> {
  const folder = dirname(stem)
  const base = stem.slice(folder.length + 1)
  const names = (await readdir(folder).catch(ignoreAbsent)) ?? []
  const found: SigningKey[] = []
  for (const file of names.toSorted()) {
    const rest = file.startsWith(`${base}.`) ? file.slice(base.length) : ''
    if (!/^(\.[0-9a-f]{8})?\.key$/.test(rest)) continue
    const key = await readSecret(join(folder, file), name)
    if (key !== undefined) found.push(key)
  }
  return found
}

async function readSecret(path: string, name: string): Promise<SigningKey | undefined> {
  const text = await readFile(path, 'utf8').catch(ignoreAbsent)
  if (text === undefined) return undefined
  const { mode } = await stat(path)
  // Group read passes: it is how secrets are mounted into containers. Windows has no such bits.
  if (process.platform !== 'win32' && (mode & 0o037) !== 0) {
    const shown = (mode & 0o777).toString(8)
    throw new Problem('request_invalid', `${path} is a private key and has mode ${shown}: chmod 600 it`)
  }
  const key = await parsePrivateKey(text.trimEnd())
  if (key.name === name) return key
  const fixed = 'public_host and org are fixed by the first start; set them back, or choose another data folder'
  throw new Problem('request_invalid', `${path} is the key of ${key.name}, not of ${name}: ${fixed}`)
}

/**
 * Makes a secret, durable when this resolves. The first key takes its name by a link, which fails when the name is taken, so that a key that
 * others may have seen is never replaced: then the one that is there counts. A crash before leaves a temporary file with a key that nobody
 * used; after it, a key that signs nothing until the plan names it.
 */
export async function makeSecret(stem: string, name: string, isFirst: boolean): Promise<SigningKey> {
  await mkdir(dirname(stem), { recursive: true, mode: 0o700 })
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const key = await createSigningKey(name, 1, seed)
  const path = isFirst ? `${stem}.key` : pathOf(stem, key)
  await putOnce(path, `${printPrivateKey(key, seed)}\n`, 0o600)
  await realFileEffects.syncFolder(dirname(stem))
  const made = await readSecret(path, name)
  if (made === undefined) throw new Error(`${path} vanished while it was made`)
  return made
}

/** Destroys the secret of a key that signs no more. A crash before the fsync may bring it back; then it is destroyed at the next start. */
export async function destroySecret(stem: string, name: string, { id }: { id: number }): Promise<void> {
  for (const path of [`${stem}.key`, pathOf(stem, { id })])
    if ((await readSecret(path, name))?.id === id) await unlink(path)
  await realFileEffects.syncFolder(dirname(stem))
}

const pathOf = (stem: string, { id }: { id: number }): string => `${stem}.${printKeyId(id)}.key`

/** A file that is never replaced: durable but for its name, of which the folder knows after its own fsync. The one that is there stays. */
export async function putOnce(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.new`
  const file = await open(temporary, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
    await link(temporary, path).catch(ignorePresent)
  } finally {
    await file.close()
    await unlink(temporary)
  }
}

function ignorePresent(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
}
