import { basename, dirname, join, relative } from 'node:path'
import { readCi, readEnvironment } from '../producer/ci.ts'
import type { Client } from '../producer/client.ts'
import { withQuery } from '../producer/client.ts'
import { type Checkout, findCheckout, runGit } from '../producer/git.ts'
import { Problem } from '../record/problem.ts'
import type { ContractAnswer, ContractsAnswer } from '../api/contracts.ts'

/** Which repository, commit and file a contract command is about, and what the service has of it. */

export const contractFile = 'proofline.contract.yaml'

export interface ContractPlace {
  repository: string
  commit: string | undefined
  ref: string | undefined
  checkout: Checkout | undefined
  /** The file that was named, else the one in the top folder of the checkout. */
  file: string
}

export interface PlaceOptions {
  repository?: string
  commit?: string
  ref?: string
}

/** What the user said, else what CI says, else what the checkout says. */
export async function findPlace(file: string | undefined, options: PlaceOptions): Promise<ContractPlace> {
  const { env, event } = readEnvironment()
  const ci = readCi(env, event)
  const checkout = await findCheckout(process.cwd())
  const repository = options.repository ?? ci?.repository ?? checkout?.repository
  if (repository === undefined)
    throw new Problem('request_invalid', 'no repository is known here: run this in a git checkout, or say --repository')
  return {
    repository,
    commit: options.commit ?? checkout?.commit ?? ci?.commit,
    ref: options.ref ?? ci?.ref ?? checkout?.ref,
    checkout,
    file: file ?? join(checkout?.folder ?? '.', contractFile),
  }
}

/** The same file for who needs nothing else of the checkout, which may have no commit yet; named as seen from here. */
export async function findContractFile(): Promise<string> {
  const cwd = process.cwd()
  const top = await runGit(cwd, ['rev-parse', '--show-toplevel'])
  return top.code === 0 ? relative(cwd, join(top.stdout.trimEnd(), contractFile)) : contractFile
}

/**
 * The record names a commit: what is registered must be what that commit has, or nobody finds it there. Not asked where no checkout is at
 * hand, or it does not have the commit. Throws Problem('digest_mismatch').
 */
export async function assertCommitted({ file, commit, checkout }: ContractPlace): Promise<void> {
  if (checkout === undefined || commit === undefined) return
  if ((await runGit(checkout.folder, ['cat-file', '-e', `${commit}^{commit}`])).code !== 0) return
  const [folder, name] = [dirname(file), basename(file)]
  const [committed, here] = await Promise.all([
    runGit(folder, ['rev-parse', '--verify', '-q', `${commit}:./${name}`]),
    runGit(folder, ['hash-object', '--', name]), // with the line endings that git would give it
  ])
  const id = commit.slice(0, 12)
  if (committed.code !== 0)
    throw new Problem('digest_mismatch', `${file} is not in commit ${id}, which the record would name: commit it first`)
  if (committed.stdout !== here.stdout)
    throw new Problem(
      'digest_mismatch',
      `${file} is not what commit ${id} has, which the record would name: commit the change first`,
    )
}

export interface Asking {
  client: Client
  signal: AbortSignal
}

export async function ask(path: string, { client, signal }: Asking): Promise<unknown> {
  const { bytes } = await client.send({ method: 'GET', path, signal })
  return JSON.parse(bytes.toString('utf8'))
}

export async function readContracts(
  repository: string,
  asking: Asking,
  query: { before?: number; limit?: number } = {},
): Promise<ContractsAnswer> {
  const { contractsAnswer } = await import('../api/contracts.ts')
  return contractsAnswer.parse(await ask(withQuery('/v1/contracts', { repository, ...query }), asking))
}

/** One version; its text comes by its digest. Throws Problem('not_found'). */
export async function readVersion(repository: string, version: number, asking: Asking): Promise<ContractAnswer> {
  const { versions } = await readContracts(repository, asking, { before: version + 1, limit: 1 })
  const [found] = versions
  if (found?.contract_version !== version)
    throw new Problem('not_found', `${repository} has no version ${version} of its contract`)
  const { contractAnswer } = await import('../api/contracts.ts')
  return { ...contractAnswer.parse(await ask(`/v1/contracts/${found.contract}`, asking)), ...found }
}
