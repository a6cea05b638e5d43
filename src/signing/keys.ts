import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { toStatementKey } from '../log/statement.ts'
import type { StatementKey } from '../log/statement.ts'
import { createSigningKey, parsePrivateKey, parseVkey, printPrivateKey, printVkey } from '../log/vkey.ts'
import type { SigningKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { ignoreAbsent, realFileEffects } from './durable-file.ts'

/**
 * The Ed25519 keys of the ledgers, one each, as files: `<org>.<ledger>.key` (a secret, 0600, in the form that Go tools read) and beside
 * it `<org>.<ledger>.vkey` for everybody. A key's name is the origin of its log. The org's statement key, `<org>.statement.key`, signs
 * everything else, and nothing of what the others sign: its type has no way to seal a note.
 */
export interface Keys {
  /** Undefined when there is none. Throws when the file is damaged, another log's, or readable by others than owner and group. */
  find(ledger: LedgerName): Promise<SigningKey | undefined>
  /** Makes one, durable when this resolves; gives the one that is there when another process was faster. */
  make(ledger: LedgerName): Promise<SigningKey>
  /** The statement key; made when there is none. Nothing rests on its having been there before. */
  statement(): Promise<StatementKey>
}

/**
 * `originOf` gives the origin, `<public host>/<org>/<ledger>`; `statementName` is that of the statement key, `<public host>/<org>/statement`.
 * The folder is made when it is not there.
 */
export function createKeys(folder: string, originOf: (ledger: LedgerName) => string, statementName: string): Keys {
  const ofLedger = (ledger: LedgerName): KeyPlace => ({
    path: join(folder, ledger.replace('/', '.')),
    name: originOf(ledger),
  })
  const ofStatements: KeyPlace = {
    path: join(folder, statementName.split('/').slice(-2).join('.')),
    name: statementName,
  }

  const find = async ({ path: stem, name }: KeyPlace): Promise<SigningKey | undefined> => {
    const path = `${stem}.key`
    const text = await readFile(path, 'utf8').catch(ignoreAbsent)
    if (text === undefined) return undefined
    const { mode } = await stat(path)
    // Group read passes: it is how secrets are mounted into containers. Windows has no such bits.
    if (process.platform !== 'win32' && (mode & 0o037) !== 0) {
      throw new Problem(
        'request_invalid',
        `${path} is a private key and has mode ${(mode & 0o777).toString(8)}: chmod 600 it`,
      )
    }
    const key = await parsePrivateKey(text.trimEnd())
    if (key.name !== name) {
      const fixed = 'public_host and org are fixed by the first start; set them back, or choose another data folder'
      throw new Problem('request_invalid', `${path} is the key of ${key.name}, not of ${name}: ${fixed}`)
    }
    await publish(`${stem}.vkey`, key)
    return key
  }

  const make = async (place: KeyPlace): Promise<SigningKey> => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const seed = crypto.getRandomValues(new Uint8Array(32))
    const key = await createSigningKey(place.name, 1, seed)
    // Linked, not renamed: a link fails when the name is taken, so a key that others may have seen is never replaced.
    // A crash before the link leaves a temporary file with a key that nobody used; after it, the key.
    await putOnce(`${place.path}.key`, `${printPrivateKey(key, seed)}\n`, 0o600)
    await realFileEffects.syncFolder(folder)
    const made = await find(place)
    if (made === undefined) throw new Error(`the key of ${place.name} vanished while it was made`)
    return made
  }

  return {
    find: (ledger) => find(ofLedger(ledger)),
    make: (ledger) => make(ofLedger(ledger)),
    statement: async () => toStatementKey((await find(ofStatements)) ?? (await make(ofStatements))),
  }
}

interface KeyPlace {
  /** Without `.key` and `.vkey`. */
  path: string
  name: string
}

/** Writes the public half if it is not there; what is there must be it, for others verify by that file. */
async function publish(path: string, key: SigningKey): Promise<void> {
  const found = await readFile(path, 'utf8').catch(ignoreAbsent)
  if (found === undefined) await putOnce(path, `${printVkey(key)}\n`, 0o644)
  else if (printVkey(parseVkey(found.trimEnd())) !== printVkey(key))
    throw new Error(`${path} does not belong to the key beside it`)
}

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
