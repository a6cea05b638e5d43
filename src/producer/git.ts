import { type ExecFileOptions, execFile, spawn } from 'node:child_process'
import { basename } from 'node:path'
import { Problem } from '../record/problem.ts'
import { toRepository } from './run-identity.ts'

/** What the checkout says, asked of the `git` program: it alone reads every kind of repository. Nothing is written to it. */

/** What a commit says of itself. */
export interface CommitFacts {
  parents: string[]
  /** RFC 3339 UTC. */
  committedAt: string
  /** First-parent ancestors, newest first, without the commit itself; in a shallow clone up to the first one that is not in it. */
  firstParents: string[]
}

export interface Checkout extends CommitFacts {
  /** Absolute path of the work tree's top. */
  folder: string
  /** Where the asking folder lies in it, with `/` at the end; empty at the top. */
  prefix: string
  commit: string
  /** `refs/heads/main`; undefined when HEAD is detached, as most CI systems leave it. */
  ref: string | undefined
  /** `github.com/acme/payments`, or `local/<folder>` without a remote. */
  repository: string
  /** Whether tracked files differ from the commit: the lines measured then may not be the lines recorded. */
  modified: boolean
}

const maxFirstParents = 256

/** Undefined when `folder` is in no checkout. Throws `request_invalid` when git refuses, or when nothing was committed yet. */
export async function findCheckout(folder: string): Promise<Checkout | undefined> {
  const top = await runGit(folder, ['rev-parse', '--show-toplevel', '--show-prefix'])
  if (top.code !== 0) {
    if (/not a git repository|must be run in a work tree/.test(top.stderr) || top.code === 'ENOENT') return undefined
    throw refused(folder, top.stderr) // above all a checkout of another user: safe.directory
  }
  const [toplevel = folder, prefix = ''] = top.stdout.split('\n')
  // `cat-file` and not `rev-list --parents`: the latter hides the parents at the edge of a shallow clone.
  const [head, raw, ref, remote, line, changed] = await Promise.all([
    runGit(toplevel, ['rev-parse', '--verify', 'HEAD^{commit}']),
    runGit(toplevel, ['cat-file', 'commit', 'HEAD']),
    runGit(toplevel, ['symbolic-ref', '-q', 'HEAD']),
    findRemote(toplevel),
    runGit(toplevel, ['rev-list', '--first-parent', `--max-count=${maxFirstParents + 1}`, 'HEAD']),
    runGit(toplevel, ['diff-index', '--quiet', 'HEAD', '--']),
  ])
  if (head.code !== 0 || raw.code !== 0) {
    throw new Problem(
      'request_invalid',
      `${toplevel} has no commit yet: commit first, or say --commit and --repository`,
    )
  }
  const commit = head.stdout.trim()
  return {
    folder: toplevel,
    prefix,
    commit,
    ref: ref.code === 0 ? ref.stdout.trim() : undefined,
    repository: toRepository(remote ?? '') ?? `local/${toLocalName(toplevel)}`,
    ...readCommit(raw.stdout),
    firstParents: await toFirstParents(toplevel, commit, line.stdout),
    modified: changed.code === 1,
  }
}

/** The same of a commit that is not checked out; undefined when the repository does not have it. */
export async function findCommit(folder: string, commit: string): Promise<CommitFacts | undefined> {
  const [raw, line] = await Promise.all([
    runGit(folder, ['cat-file', 'commit', commit]),
    runGit(folder, ['rev-list', '--first-parent', `--max-count=${maxFirstParents + 1}`, commit]),
  ])
  if (raw.code !== 0) return undefined
  return { ...readCommit(raw.stdout), firstParents: await toFirstParents(folder, commit, line.stdout) }
}

export interface TreeFile {
  path: string
  blob: string
}

/**
 * Every regular file of a commit, in git's order, as it arrives: a large tree is never held. Left out are submodules and symbolic
 * links, which have no lines, and paths that are no UTF-8, which JSON cannot carry. Throws `request_invalid` when git fails.
 */
export async function* readTree(folder: string, commit: string): AsyncGenerator<TreeFile> {
  const child = spawn('git', ['ls-tree', '-r', '-z', '--full-tree', commit], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = new Promise<number | string>((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    child.on('close', (code) => resolve(code ?? 'killed'))
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 1000)))
  try {
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let start = 0
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0, start)) {
        const file = readEntry(rest.subarray(start, end))
        if (file !== undefined) yield file
        start = end + 1
      }
      rest = rest.subarray(start)
    }
    const code = await closed
    if (code !== 0) throw refused(folder, complaint || String(code))
  } finally {
    child.kill() // no-op once it ended; a reader that gave up must not leave git behind
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `100644 blob <id>\t<path>`. */
function readEntry(entry: Buffer): TreeFile | undefined {
  const tab = entry.indexOf(9)
  const [mode, type, blob] = entry.subarray(0, tab).toString('latin1').split(' ')
  if (type !== 'blob' || mode === '120000' || blob === undefined) return undefined
  try {
    return { path: utf8.decode(entry.subarray(tab + 1)), blob }
  } catch {
    return undefined
  }
}

/** From what `rev-list --first-parent` listed. */
async function toFirstParents(folder: string, commit: string, listed: string): Promise<string[]> {
  const ancestors = listed.split('\n').filter((id) => id !== '' && id !== commit)
  const edge = ancestors.length < maxFirstParents ? await findParent(folder, ancestors.at(-1) ?? commit) : undefined
  return edge === undefined ? ancestors : [...ancestors, edge]
}

/** The first parent as the commit itself names it, also where a shallow clone ends and `rev-list` hides it. */
async function findParent(folder: string, commit: string): Promise<string | undefined> {
  const { code, stdout } = await runGit(folder, ['cat-file', 'commit', commit])
  return code === 0 ? readCommit(stdout).parents[0] : undefined
}

function readCommit(raw: string): { parents: string[]; committedAt: string } {
  const [head = ''] = raw.split('\n\n', 1)
  const parents = [...head.matchAll(/^parent ([0-9a-f]+)$/gm)].map((match) => match[1] ?? '')
  const seconds = Number(/^committer .*> (\d+) [+-]\d{4}$/m.exec(head)?.[1] ?? 0)
  return { parents, committedAt: new Date(seconds * 1000).toISOString() }
}

async function findRemote(folder: string): Promise<string | undefined> {
  const { stdout } = await runGit(folder, ['config', '--get-regexp', '^remote\\..*\\.url$'])
  const urls = stdout.split('\n').filter(Boolean)
  const line = urls.find((text) => text.startsWith('remote.origin.url ')) ?? urls[0]
  return line?.slice(line.indexOf(' ') + 1)
}

function toLocalName(folder: string): string {
  return basename(folder).replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'repository'
}

function refused(folder: string, stderr: string): Problem {
  const said = stderr.trim().split('\n').filter(Boolean)
  const advice = said.find((line) => line.includes('safe.directory'))?.trim()
  return new Problem(
    'request_invalid',
    `git cannot read ${folder}: ${said[0] ?? 'it failed'}${advice ? ` (${advice})` : ''}`,
  )
}

export interface Ended {
  code: number | string
  stdout: string
  stderr: string
}

export type GitOptions = Pick<ExecFileOptions, 'env' | 'signal' | 'timeout'>

/** Never rejects: how it ended is in the answer. */
export function runGit(folder: string, args: readonly string[], options: GitOptions = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      'git',
      args,
      { ...options, cwd: folder, maxBuffer: 1 << 24, encoding: 'utf8' },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? 'killed'), stdout, stderr })
      },
    )
  })
}

/** Whether `commit` contains `ancestor`; undefined when this checkout does not know, as shallow ones do not. */
export async function isAncestor(folder: string, ancestor: string, commit: string): Promise<boolean | undefined> {
  const { code } = await runGit(folder, ['merge-base', '--is-ancestor', ancestor, commit])
  return code === 0 ? true : code === 1 ? false : undefined
}
