import { spawn } from 'node:child_process'
import { printHunks } from '../record/hunks.ts'
import type { Environment } from './ci-facts.ts'
import { type Ended, runGit } from './git.ts'
import { type FileDiff, parseDiff } from './line-maps.ts'

/**
 * Compares two commits for their line maps. Nothing here may stop a push: whatever git cannot do is an Error whose text tells the user, and
 * the run is recorded all the same. Bounded in time and memory, whatever was committed.
 */

/** Where git takes attributes from (since 2.41): from nowhere, so that a generated file marked `-diff` has its map too. By length of an id. */
const emptyTrees: Partial<Record<number, string>> = {
  40: '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  64: '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
}

/** What is done; with other options the same commits may give other hunks. */
export const definition = 'git.patience@1'

export interface Repository {
  folder: string
  env: Environment
  /** Whether commits that are not in the clone may be fetched. */
  fetch: boolean
  signal: AbortSignal
}

/** A big change of a big repository takes git seconds. */
const maxMs = 120_000
/** Below what the service takes; what is more goes without a map, by name. */
const maxBodyBytes = 48 * 1_048_576
/** What the service takes; it finds out by itself which files it then has no map of. */
const maxFiles = 100_000

/** One map a line, as the service takes them. Throws an Error that says why there are none. */
export async function compareCommits(from: string, to: string, repository: Repository): Promise<Buffer> {
  const { folder, signal } = repository
  const deadline = AbortSignal.timeout(maxMs)
  const child = spawn('git', [...options, from, to, '--'], {
    cwd: folder,
    env: { ...gitEnvironment(repository), GIT_ATTR_SOURCE: emptyTrees[from.length] },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, deadline]),
  })
  const closed = new Promise<number | string>((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    child.on('close', (code) => resolve(code ?? 'killed'))
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 1000)))
  const lines: Buffer[] = []
  let bytes = 0
  let failure: unknown
  try {
    for await (const diff of parseDiff(child.stdout as AsyncIterable<Buffer>)) {
      if (lines.length === maxFiles) continue
      const line = Buffer.from(printDiff(diff, bytes < maxBodyBytes))
      lines.push(line)
      bytes += line.length
    }
  } catch (error) {
    failure = error // told only when git itself has nothing to say
    child.kill()
  }
  const code = await closed
  signal.throwIfAborted()
  if (deadline.aborted) throw new Error(`git took longer than ${maxMs / 1000} s to compare them`)
  if (failure !== undefined && complaint === '') throw failure
  if (code !== 0) throw new Error(`git cannot compare them: ${firstLine(complaint) || String(code)}`)
  return Buffer.concat(lines)
}

/**
 * `diff-tree` and not `diff`: it heeds no setting of the user. Patience anchors on lines that are unique, so it follows moved code better
 * than the default.
 */
const options = [
  '-c',
  'core.quotePath=true',
  'diff-tree',
  '-r',
  '-z',
  '--raw',
  '--patch',
  '--unified=0',
  '--full-index',
  '--diff-algorithm=patience',
  '--indent-heuristic',
  '--find-renames=50%',
  '-l1000',
  '--diff-filter=MR',
  '--ignore-submodules=all',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--no-relative',
] as const

function printDiff({ from, to, hunks, unmapped }: FileDiff, hasRoom: boolean): string {
  const map =
    hunks === undefined ? { unmapped } : hasRoom ? { hunks: printHunks(hunks) } : { unmapped: 'too_many_hunks' }
  return `${JSON.stringify({ from, to, ...map })}\n`
}

/** Makes both commits be there, fetching those that are not. Throws an Error that says why one is missing. */
export async function ensureCommits(
  commits: readonly string[],
  repository: Repository,
  onFetch: (commits: readonly string[], remote: string) => void,
): Promise<void> {
  const missing: string[] = []
  for (const commit of commits) if (!(await hasCommit(commit, repository))) missing.push(commit)
  if (missing.length === 0) return
  const names = missing.map((commit) => commit.slice(0, 12)).join(' and ')
  if (!repository.fetch) throw new Error(`${names} is not in this clone, and --no-fetch was said`)
  const [shallow, remotes] = await Promise.all([
    ask(['rev-parse', '--is-shallow-repository'], repository),
    ask(['remote'], repository),
  ])
  const known = remotes.stdout.split('\n').filter(Boolean)
  const remote = known.includes('origin') ? 'origin' : known[0]
  if (remote === undefined) throw new Error(`${names} is not in this clone, which has no remote to fetch it from`)
  onFetch(missing, remote)
  // Only a clone that is shallow already gets commits without their history: in a full one that would cut the history off.
  const depth = shallow.stdout.trim() === 'true' ? ['--depth=1'] : []
  const fetched = await ask([...fetchOptions, ...depth, remote, ...missing], repository, maxMs)
  // Another job in the same checkout may have fetched them meanwhile, and stood in the way.
  const there = await Promise.all(missing.map((commit) => hasCommit(commit, repository)))
  if (!there.every(Boolean))
    throw new Error(`${names} cannot be fetched from ${remote}: ${firstLine(fetched.stderr) || 'git failed'}`)
}

/** Writes objects and, in a shallow clone, its boundary; no ref, no FETCH_HEAD, no tag. */
const fetchOptions = [
  '-c',
  'gc.auto=0',
  '-c',
  'maintenance.auto=false',
  'fetch',
  '--quiet',
  '--no-tags',
  '--no-write-fetch-head',
  '--no-recurse-submodules',
  '--refmap=',
] as const

const hasCommit = async (commit: string, repository: Repository): Promise<boolean> =>
  (await ask(['cat-file', '-e', `${commit}^{commit}`], { ...repository, fetch: false })).code === 0

function ask(args: readonly string[], repository: Repository, timeoutMs = 30_000): Promise<Ended> {
  const { folder, signal } = repository
  return runGit(folder, args, { env: gitEnvironment(repository), signal, timeout: timeoutMs })
}

/** Without questions to a terminal; without the network where it is forbidden: a partial clone would fetch what it lacks by itself. */
function gitEnvironment({ fetch, env }: Repository): NodeJS.ProcessEnv {
  return {
    ...env,
    GIT_TERMINAL_PROMPT: '0',
    GIT_DIFF_OPTS: undefined,
    LC_ALL: 'C',
    ...(fetch ? {} : { GIT_NO_LAZY_FETCH: '1' }),
  }
}

const firstLine = (text: string): string => text.trim().split('\n').find(Boolean) ?? ''
