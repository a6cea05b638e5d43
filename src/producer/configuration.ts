import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Digests of the files that decide what the coverage tools count, so that a later question "since when is that left out?" has an answer. */

export interface Configuration {
  /** By path; undefined when there is none. */
  files: { path: string; sha256: string }[] | undefined
  /** SHA-256 of the contract of the repository. */
  contract: string | undefined
}

const contractName = 'proofline.contract.yaml'
const known =
  /^(?:\.nycrc(?:\..+)?|\.c8rc(?:\..+)?|nyc\.config\..+|(?:jest|vitest|vite|karma|babel|stryker|wdio)(?:\.conf|\.config)\..+|\.coveragerc|pyproject\.toml|setup\.cfg|tox\.ini|pytest\.ini|codecov\.ya?ml|\.codecov\.ya?ml|\.lcovrc|gcovr\.cfg|\.simplecov|phpunit\.xml(?:\.dist)?|pom\.xml|build\.gradle(?:\.kts)?|coverlet\.runsettings|tarpaulin\.toml|package\.json|sonar-project\.properties)$/
const maxFiles = 32
const maxFileBytes = 1 << 20

/** Looks in the top folder of the checkout only. */
export async function readConfiguration(folder: string): Promise<Configuration> {
  const names = (await readdir(folder)).filter((name) => known.test(name)).toSorted()
  const digests = await Promise.all(names.map(async (path) => ({ path, sha256: await digestOf(join(folder, path)) })))
  const files = digests
    .flatMap(({ path, sha256 }) => (sha256 === undefined ? [] : [{ path, sha256 }]))
    .slice(0, maxFiles)
  return { files: files.length === 0 ? undefined : files, contract: await digestOf(join(folder, contractName)) }
}

async function digestOf(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || !found.isFile() || found.size > maxFileBytes) return undefined
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}
