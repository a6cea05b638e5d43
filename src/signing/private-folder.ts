import { lstat, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Problem } from '../record/problem.ts'
import { ignoreAbsent } from './durable-file.ts'

/**
 * A signer's state is worth what keeps others from writing it: whoever may put another guard, plan or socket there can fork the log, and a
 * folder is as safe as every folder above it. As sshd judges its files.
 */

/**
 * Throws Problem request_invalid when somebody else than this user and root may write `path` or replace one of the folders above it. What is
 * not there yet is made by us, for us. Windows has no such bits.
 */
export async function assertPrivate(path: string, what: string, uid = process.getuid?.()): Promise<void> {
  if (uid === undefined) return
  const real = await realOrAbove(path)
  for (let at = real; ; at = dirname(at)) {
    const { mode, uid: owner } = await lstat(at)
    const refuse = (why: string): never => {
      throw new Problem('request_invalid', `${what} ${path} is not safe: ${at} ${why}. The signer's state must be its own user's alone (docs/signing.md)`) // oxfmt-ignore
    }
    if (owner !== uid && owner !== 0) refuse(`belongs to user ${owner}`)
    // In a folder with the sticky bit, as /tmp, others may make files and touch none of ours; that is enough above our own, not for it.
    const isSticky = (mode & 0o1000) !== 0 && at !== path
    if ((mode & 0o022) !== 0 && !isSticky) refuse(`has mode ${(mode & 0o7777).toString(8)}: chmod go-w it`)
    if (dirname(at) === at) return
  }
}

/** The path without symbolic links; of one that is not there, that of the nearest folder above. */
async function realOrAbove(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const real = await realpath(at).catch(ignoreAbsent)
    if (real !== undefined) return real
  }
}
