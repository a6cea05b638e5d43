import { mkdir, readFile, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TrustedKey } from '../log/trusted-key.ts'
import { createSigningKey, parsePrivateKey, printPrivateKey } from '../log/vkey.ts'
import type { SigningKey, VerifierKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { sha256Hex } from '../record/sha256.ts'
import { ignoreAbsent, realFileEffects } from './durable-file.ts'
import { createGuardOf } from './guard.ts'
import type { GuardNames } from './guard.ts'
import { putOnce } from './key-files.ts'
import { createWitness } from './witness.ts'
import type { Witness } from './witness.ts'

/** A witness over its state folder: `guard/` with the last head of each log, `witness.key` unless it lies elsewhere, `forks/`. */
export interface OpenWitness extends Witness {
  key: VerifierKey
  close(): void
}

export interface WitnessSettings {
  folder: string
  /** Default `<folder>/witness.key`. */
  keyFile?: string | undefined
  /** Of the key that is made at the first start; later starts take the key as it is. */
  name: string
  logs: ReadonlyMap<string, readonly TrustedKey[]>
  now: () => Date
}

const originNames: GuardNames<string> = {
  toName: (text) => (text === '' ? undefined : text),
  toFile: (origin) => sha256Hex(new TextEncoder().encode(origin)),
}
/** A log that forks keeps doing so; what proves it needs not be kept a thousand times. */
const maxForkFiles = 200

/** Throws when another process has the folder, and when heads were cosigned with a key that is gone: under a new one nobody would see that. */
export async function openWitness({ folder, keyFile, name, logs, now }: WitnessSettings): Promise<OpenWitness> {
  const guard = await createGuardOf(join(folder, 'guard'), originNames)
  try {
    const path = keyFile ?? join(folder, 'witness.key')
    const hasState = (await readdir(join(folder, 'guard'))).some((file) => file.endsWith('.head'))
    const key = (await findKey(path)) ?? (await makeKey(path, name, hasState))
    const onFork = (origin: string, known: string, offered: string): Promise<void> =>
      keepFork(join(folder, 'forks'), origin, [known, offered])
    const witness = createWitness({ key, guard, logs, now, onFork })
    return { ...witness, key, close: () => guard.close() }
  } catch (error) {
    guard.close()
    throw error
  }
}

async function findKey(path: string): Promise<SigningKey | undefined> {
  const text = await readFile(path, 'utf8').catch(ignoreAbsent)
  if (text === undefined) return undefined
  const { mode } = await stat(path)
  if (process.platform !== 'win32' && (mode & 0o037) !== 0)
    throw new Problem('request_invalid', `${path} is a private key and has mode ${(mode & 0o777).toString(8)}: chmod 600 it`) // oxfmt-ignore
  const key = await parsePrivateKey(text.trimEnd())
  if (key.type === 4) return key
  // Go's generators know type 1 only; the witness network takes such a key for a cosigner's, with the id that follows.
  throw new Problem('request_invalid', `${path} is the key of a log (type 1); a witness has one of type 4 of its own`)
}

async function makeKey(path: string, name: string, hasState: boolean): Promise<SigningKey> {
  if (hasState) throw new Problem('request_invalid', `${path} is gone, but checkpoints were cosigned with it`)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const made = await createSigningKey(name, 4, seed)
  // A crash before leaves nothing that anybody has seen; after it, the key.
  await putOnce(path, `${printPrivateKey(made, seed)}\n`, 0o600)
  await realFileEffects.syncFolder(dirname(path))
  const key = await findKey(path)
  if (key === undefined) throw new Error(`${path} vanished while it was made`)
  return key
}

/** Both notes, verbatim, under names by which the same ones are kept once. */
async function keepFork(folder: string, origin: string, notes: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length >= maxForkFiles) return
  const encoder = new TextEncoder()
  for (const note of notes) {
    const name = `${sha256Hex(encoder.encode(origin)).slice(0, 16)}.${sha256Hex(encoder.encode(note)).slice(0, 16)}.note`
    await putOnce(join(folder, name), note, 0o600)
  }
  await realFileEffects.syncFolder(folder)
}
