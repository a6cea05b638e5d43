import type { TestType } from '../record/record.ts'
import { withoutTrailing } from '../record/trailing.ts'

/** What a run, a repository and a part are called. All pure; what is read from the machine comes from ci.ts and git.ts. */

/** A run id is a path segment of a URL and a key of the ledger: `[A-Za-z0-9._~-]`, at most this long. */
export const maxRunId = 200

/** Text as a piece of a run id: whatever may not stand there becomes `-`. Empty when nothing is left. */
export function toRunPiece(text: string): string {
  const piece = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[-.]+/, '')
  return withoutTrailing(piece, '-.')
}

export interface RunName {
  /** `<provider>.<pipeline run>[~<attempt>]`, or what the user gave with --run. */
  name: string
  suite: string
  testType: TestType
}

/**
 * `<name>.<suite>.<unit|integration>` (DESIGN.md section 7). A name that was completed before is left as it is, so a run id copied
 * from a receipt works too. Throws an Error when nothing usable remains or it grows over 200 characters.
 */
export function printRunId({ name, suite, testType }: RunName): string {
  const tail = `.${toRunPiece(suite)}.${testType}`
  const given = name.split('~').map(toRunPiece).filter(Boolean).join('~')
  if (given === '' || tail.startsWith('..'))
    throw new Error('the run and its suite need a name of letters, digits, ".", "_" or "-"')
  const id = given.endsWith(tail) ? given : `${given}${tail}`
  if (id.length > maxRunId) throw new Error(`the run id would be longer than ${maxRunId} characters: ${id}`)
  return id
}

/** Whether this is the id of a run already, of whichever suite: name, suite and test type. */
export function isRunId(text: string): boolean {
  return text.length <= maxRunId && /^[A-Za-z0-9._~-]+\.[A-Za-z0-9._-]+\.(?:unit|integration)$/.test(text)
}

/** The name of a run outside CI: the same bytes at the same commit are the same run, whoever pushes them and however often. */
export function localRunName(commit: string, partsSha256: string): string {
  return `local.${commit.slice(0, 12)}-${partsSha256.slice(0, 12)}`
}

/**
 * The name of a repository, the same for every way of cloning it: `github.com/acme/payments`. Takes https, ssh, git and scp-like
 * remotes; user, password, port, query and `.git` are left out: they are no part of what a repository is, and may be secrets.
 * Undefined for a local path.
 */
export function toRepository(remote: string): string | undefined {
  const text = remote.trim()
  const scp = /^(?:[^@\s/]+@)?([A-Za-z0-9][A-Za-z0-9.-]+):(?!\/\/)(?!\\)(.+)$/.exec(text)
  const url = /^(?:https?|ssh|git|git\+ssh|ssh\+git):\/\/(?:[^@/]*@)?([^/:?#]+)(?::\d*)?\/([^?#]*)/i.exec(text)
  const [host, path] = url === null ? [scp?.[1], scp?.[2]] : [url[1], url[2]]
  if (host === undefined || path === undefined) return undefined
  const whole = withoutTrailing(path.replace(/^\/+/, ''), '/')
  const name = withoutTrailing(whole.replace(/\.git$/, ''), '/')
  if (name === '') return undefined
  return azureRepository(host.toLowerCase(), name)
}

/** Azure Repos has another path over ssh (`v3/org/project/repo`) than over https (`org/project/_git/repo`). */
function azureRepository(host: string, path: string): string {
  const ssh = /^v3\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path)
  if (host === 'ssh.dev.azure.com' && ssh !== null) return `dev.azure.com/${ssh[1]}/${ssh[2]}/_git/${ssh[3]}`
  return `${host}/${path}`
}

/**
 * The path of a report as the name of its part: with `/`, relative to the checkout, without `./`. A file outside the checkout goes by
 * its base name: where a temporary folder lies differs from try to try and must not make another part of it.
 */
export function toPartName(relativePath: string): string {
  const path = relativePath.replaceAll('\\', '/').replace(/^(?:\.\/)+/, '')
  const outside = path.startsWith('../') || path.startsWith('/') || /^[A-Za-z]:\//.test(path)
  return outside ? path.slice(path.lastIndexOf('/') + 1) : path
}
