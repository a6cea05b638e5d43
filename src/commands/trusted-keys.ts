import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LogError } from '../log/log-error.ts'
import { parseTrustedKeys, type TrustedKey } from '../log/trusted-key.ts'
import type { LedgerName } from '../record/record.ts'
import { Problem } from '../record/problem.ts'

/** The keys that a verification believes. They never come from what is verified. */

/**
 * Each of `given` is a line (a vkey, and from which size to which it is believed: `from=`, `until=`) or a file of such lines; without any, the keys of the data folder `folder` on this machine. Throws
 * `request_invalid` when there is none: nothing can be verified without knowing by whom.
 */
export async function readTrustedKeys(given: readonly string[], folder: string): Promise<TrustedKey[]> {
  const texts = given.length > 0 ? await Promise.all(given.map(readGiven)) : await readKeyFolder(join(folder, 'keys'))
  const keys = texts.flatMap((text) => {
    try {
      return parseTrustedKeys(text)
    } catch (cause) {
      if (!(cause instanceof LogError)) throw cause
      throw new Problem('request_invalid', `--key: ${cause.message}`, { cause })
    }
  })
  if (keys.length === 0) {
    throw new Problem(
      'request_invalid',
      'say whose signature is believed: --key <vkey or file>; the service keeps them in <data folder>/keys/*.vkey',
    )
  }
  return keys
}

/** Origins of the log of this ledger for which a key is trusted: the name of a log's key is its origin. */
export function originsOf(keys: readonly TrustedKey[], ledger: LedgerName): string[] {
  const names = keys.filter(({ type, name }) => type === 1 && name.endsWith(`/${ledger}`)).map(({ name }) => name)
  return [...new Set(names)]
}

async function readGiven(text: string): Promise<string> {
  if (/^[^/\s+][^\s+]*\+[0-9a-f]{8}\+\S+( [a-z]+=\d+)*$/.test(text)) return text
  return readFile(text, 'utf8')
}

async function readKeyFolder(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return Promise.all(
    names.filter((name) => name.endsWith('.vkey')).map(async (name) => readFile(join(folder, name), 'utf8')),
  )
}
