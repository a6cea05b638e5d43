import { runGit } from '../producer/git.ts'
import { Problem } from '../record/problem.ts'

/** What a person calls a commit: an id, its beginning, or whatever git takes for one in this checkout. */

/** A whole id as it is; anything else is what git takes it for here. */
export async function wholeCommit(text: string, folder: string | undefined): Promise<string> {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text
  const found = folder === undefined ? undefined : await runGit(folder, ['rev-parse', '--verify', '-q', '--end-of-options', `${text}^{commit}`]) // oxfmt-ignore
  if (found?.code !== 0)
    throw new Problem('request_invalid', `${text} is no commit of this checkout: give its whole id`)
  return found.stdout.trim()
}

/** For a question: the beginning of an id is left to the service, which may know commits that are not here. */
export async function askedCommit(text: string): Promise<string> {
  return /^[0-9a-f]{7,64}$/.test(text) ? text : wholeCommit(text, process.cwd())
}
