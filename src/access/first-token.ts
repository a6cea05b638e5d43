import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomBytes } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import { scopes } from './principal.ts'
import * as store from './token-store.ts'
import { type IssuedToken, makeToken, toIssued, toRow } from './tokens.ts'

const days = 365

/**
 * Makes the first operator token of an org, with every scope, and writes it to `file` (0600). Does nothing when the org has a valid token
 * with the scope operate already, wherever that is kept: then answers undefined. The file is durable before the row exists: a crash between
 * leaves a file with a token that proves nothing, and the next start writes a new one. The other order could lock everybody out.
 */
export async function ensureOperatorToken(
  db: Queryable,
  file: string,
  org: string,
  now: () => Date = () => new Date(),
): Promise<IssuedToken | undefined> {
  const at = now().getTime() * 1000
  const issued = await store.listTokens(db, org)
  if (issued.some((row) => row.revokedAt === null && row.expiresAt > at && row.scopes.includes('operate')))
    return undefined
  const { id, secret, token } = makeToken()
  await writeDurably(file, `${token}\n`)
  const row = toRow({ org, label: 'first operator', scopes, days }, id, secret, now())
  await store.insertToken(db, row)
  return toIssued({ ...row, revokedAt: null })
}

/** A key of 32 random bytes that every node on this database shares; made by the first that asks for it. */
export function ensureSecret(db: Queryable, name: string): Promise<Uint8Array> {
  return store.keepSecret(db, name, randomBytes(32))
}

async function writeDurably(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.chmod(0o600) // an existing draft keeps its mode otherwise
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
