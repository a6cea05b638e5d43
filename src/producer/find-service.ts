import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { Problem } from '../record/problem.ts'
import type { Environment } from './ci-facts.ts'
import { withoutTrailing } from '../record/trailing.ts'

/** Where the service is and what to show it: the environment, else what a `serve` on this machine left behind. */

export interface Service {
  url: string
  token: string | undefined
  /** Whether url and token were found by themselves; then "start it" is good advice. */
  local: boolean
}

const defaultUrl = 'http://127.0.0.1:7357'

/**
 * PROOFLINE_URL and PROOFLINE_TOKEN (or PROOFLINE_TOKEN_FILE); else `~/.local/state/proofline/local.json` (XDG_STATE_HOME, where set); else
 * `.proofline` in `cwd`.
 * A token found on this machine goes to the service that wrote it and to no other address. Throws `request_invalid` for a token file
 * that is named and cannot be read.
 */
export async function findService(env: Environment, cwd: string): Promise<Service> {
  // A CI system sets the variable of a secret that it does not give to the empty string.
  const written = notEmpty(env['PROOFLINE_URL'])
  const givenUrl = written && withoutTrailing(written, '/')
  const givenToken = notEmpty(env['PROOFLINE_TOKEN']) ?? (await readGivenFile(notEmpty(env['PROOFLINE_TOKEN_FILE'])))
  if (givenUrl !== undefined && givenToken !== undefined)
    return { url: givenUrl, token: givenToken.trim(), local: false }
  const left = (await readNote(localNote(env))) ?? (await readDataFolder(env, cwd))
  const url = givenUrl ?? left?.url ?? defaultUrl
  const token = givenToken ?? (left?.url === url ? left.token : undefined)
  return { url, token: token?.trim(), local: givenUrl === undefined }
}

/** The data folder in which `serve` keeps keys and token when nothing else is configured. */
function dataFolder(env: Environment, cwd: string): string {
  return env['PROOFLINE_DATA_DIR'] ?? join(cwd, '.proofline')
}

/** That folder where there is one; else, without PROOFLINE_DATA_DIR, the folder of the service that was started last on this machine. */
export async function findDataFolder(env: Environment, cwd: string): Promise<string> {
  const folder = dataFolder(env, cwd)
  if (env['PROOFLINE_DATA_DIR'] !== undefined || existsSync(folder)) return folder
  return (await readNote(localNote(env)))?.folder ?? folder
}

const localNote = (env: Environment): string =>
  join(env['XDG_STATE_HOME'] ?? join(env['HOME'] ?? homedir(), '.local', 'state'), 'proofline', 'local.json')

interface Left {
  url: string
  token: string | undefined
  /** Its data folder. */
  folder?: string | undefined
}

const notEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)

/** `{"url","token_file"}`; undefined when it is not there or not of that form. */
async function readNote(file: string): Promise<Left | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof note !== 'object' || note === null || !('url' in note) || typeof note.url !== 'string') return undefined
    const path = 'token_file' in note && typeof note.token_file === 'string' ? note.token_file : undefined
    const url = withoutTrailing(note.url, '/')
    return path === undefined
      ? { url, token: undefined }
      : { url, token: await readIfThere(path), folder: dirname(path) }
  } catch {
    return undefined
  }
}

async function readDataFolder(env: Environment, cwd: string): Promise<Left | undefined> {
  const folder = dataFolder(env, cwd)
  const token = await readIfThere(join(folder, 'operator-token'))
  return (await readNote(join(folder, 'local.json'))) ?? (token === undefined ? undefined : { url: defaultUrl, token })
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}

async function readGivenFile(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Problem('request_invalid', `PROOFLINE_TOKEN_FILE ${file} cannot be read`, { cause })
  })
}
