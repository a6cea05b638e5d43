import { spawnSync } from 'node:child_process'
import { chown, readFile, stat } from 'node:fs/promises'

/** Whom PostgreSQL runs as. Empty: as ourselves. */
export interface Account {
  uid?: number
  gid?: number
}

/**
 * PostgreSQL refuses to run as root: then it runs as the owner of an existing data folder, else as the user postgres, else as nobody.
 * @throws when we are root and there is neither, or when the data belong to somebody else
 */
export async function chooseAccount(data: string): Promise<Account> {
  const me = process.getuid?.()
  const owner = await stat(data).catch(() => undefined)
  if (me !== 0) {
    if (owner !== undefined && owner.uid !== me) {
      throw new Error(
        `${data} belongs to user ${owner.uid}, but this is user ${me}: start as that user, or choose another data folder`,
      )
    }
    return {}
  }
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const users = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((fields) => fields[0] === name) ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as. Start as another user, or set DATABASE_URL.',
  )
}

export async function giveTo({ uid, gid }: Account, path: string): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

/** May this account reach and use `path`? Asked of the kernel, since a parent folder (a home of mode 0700) can forbid it as well. */
export function mayUse(account: Account, path: string, right: 'enter' | 'read'): boolean {
  if (account.uid === undefined) return true
  const { status } = spawnSync('/bin/sh', ['-c', right === 'enter' ? 'test -x "$1"' : 'test -r "$1"', 'sh', path], {
    ...account,
    cwd: '/',
  })
  return status === 0
}
