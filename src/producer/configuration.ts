import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative } from 'node:path'
import { Problem } from '../record/problem.ts'
import { expandFiles } from './files.ts'

/**
 * Digests of what decides which lines the coverage tools count, so that a later question "since when is that left out?" has an answer. Of
 * files that hold much else, only the members or sections about coverage: a new dependency is no change of what is measured.
 */

export interface Configuration {
  /** By path; undefined when there is none. A member of a JSON file stands as `package.json#jest`. */
  files: { path: string; sha256: string }[] | undefined
  /** SHA-256 of the contract of the repository. */
  contract: string | undefined
}

const contractName = 'proofline.contract.yaml'

/** Files that are about tests and coverage, or that a build tool reads as a whole. */
const whole = new Set([
  '.c8rc',
  '.coveragerc',
  '.lcovrc',
  '.nycrc',
  '.simplecov',
  'build.gradle',
  'build.gradle.kts',
  'coverlet.runsettings',
  'gcovr.cfg',
  'phpunit.xml',
  'phpunit.xml.dist',
  'pom.xml',
  'pytest.ini',
  'tarpaulin.toml',
])
/** The same with any ending: `jest.config.ts`. */
const wholeBegins = /^(?:\.nycrc|\.c8rc|nyc\.config|(?:jest|vitest|vite|karma|babel|stryker|wdio)\.conf(?:ig)?)\../
/** Members of package.json. */
const members = ['babel', 'c8', 'jest', 'nyc', 'stryker', 'vitest']
/** Headers of sections in TOML and INI files. */
const sections: Readonly<Record<string, RegExp>> = {
  'pyproject.toml': /^\[+\s*tool\s*\.\s*(?:coverage|pytest)\b/,
  'setup.cfg': /^\[(?:coverage:|tool:pytest\])/,
  'tox.ini': /^\[(?:coverage:|pytest\]|testenv)/,
}
const maxFileBytes = 1 << 20

/**
 * Looks in the folder where the command runs and in every one above it up to the top of the checkout; `given` are added as they are.
 * Throws `request_invalid` for a given file that is not there.
 */
export async function readConfiguration(
  top: string,
  cwd: string,
  given: readonly string[] = [],
): Promise<Configuration> {
  const found = new Map<string, string>()
  for (const folder of foldersBetween(top, cwd)) {
    for (const name of (await readdir(folder)).toSorted()) {
      for (const [suffix, text] of await readAbout(join(folder, name), name)) {
        found.set(`${toPath(top, join(folder, name))}${suffix}`, digestOf(text))
      }
    }
  }
  for (const [path, sha256] of await readGiven(top, cwd, given)) found.set(path, sha256)
  const contract = await readText(join(top, contractName))
  const files = [...found].map(([path, sha256]) => ({ path, sha256 })).toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return {
    files: files.length === 0 ? undefined : files,
    contract: contract === undefined ? undefined : digestOf(contract),
  }
}

/** The named files only: outside CI the work tree may change between two pushes of the same report, which must stay the same run. */
export async function readGivenConfiguration(
  top: string,
  cwd: string,
  given: readonly string[],
): Promise<Configuration> {
  const files = (await readGiven(top, cwd, given)).map(([path, sha256]) => ({ path, sha256 }))
  return { files: files.length === 0 ? undefined : files, contract: undefined }
}

async function readGiven(top: string, cwd: string, given: readonly string[]): Promise<[string, string][]> {
  const files = await expandFiles(given, cwd, '--configuration ')
  return Promise.all(
    files.map(async (file): Promise<[string, string]> => {
      const text = await readFile(file, 'latin1').catch((cause: unknown) => {
        throw new Problem('request_invalid', `--configuration ${file} cannot be read`, { cause })
      })
      return [toPath(top, file), digestOf(text)]
    }),
  )
}

/** The parts of a file that are about coverage, each with what it adds to the path. */
async function readAbout(file: string, name: string): Promise<[suffix: string, text: string][]> {
  const header = Object.hasOwn(sections, name) ? sections[name] : undefined
  if (!whole.has(name) && !wholeBegins.test(name) && header === undefined && name !== 'package.json') return []
  const text = await readText(file)
  if (text === undefined) return []
  if (header !== undefined) {
    const about = sectionsOf(text, header)
    return about === '' ? [] : [['', about]]
  }
  return name === 'package.json' ? membersOf(text) : [['', text]]
}

/** The lines of the sections whose header matches, as they stand. */
export function sectionsOf(text: string, header: RegExp): string {
  let inside = false
  const kept = toLf(text)
    .split('\n')
    .filter((line) => {
      if (/^\[+[^[\],]+\]+\s*(?:#.*)?$/.test(line)) inside = header.test(line)
      return inside
    })
  return kept.length === 0 ? '' : `${kept.join('\n').trimEnd()}\n`
}

/** Members of a package.json as canonical JSON; none of one that is no JSON. */
function membersOf(text: string): [string, string][] {
  try {
    const json: unknown = JSON.parse(Buffer.from(text, 'latin1').toString('utf8'))
    if (typeof json !== 'object' || json === null) return []
    const all = json as Record<string, unknown>
    return members.flatMap((name): [string, string][] =>
      Object.hasOwn(all, name) ? [[`#${name}`, JSON.stringify(sorted(all[name]))]] : [],
    )
  } catch {
    return []
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  )
}

function foldersBetween(top: string, cwd: string): string[] {
  const below = relative(top, cwd)
  const folders = [top]
  if (below === '' || below.startsWith('..') || isAbsolute(below)) return folders
  for (let folder = cwd; folder !== top; folder = dirname(folder)) folders.push(folder)
  return folders
}

/** As bytes one to one; undefined for what is no file or too large to be a configuration. */
async function readText(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || !found.isFile() || found.size > maxFileBytes) return undefined
  return readFile(file, 'latin1')
}

/** A checkout on Windows may have other line ends: the digest is that of the file as git keeps it. */
const toLf = (text: string): string => text.replaceAll('\r\n', '\n')
const digestOf = (text: string): string => createHash('sha256').update(toLf(text), 'latin1').digest('hex')
const toPath = (top: string, file: string): string => relative(top, file).replaceAll('\\', '/')
