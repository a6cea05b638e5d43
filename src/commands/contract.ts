import { readFile } from 'node:fs/promises'
import type { ContractAnswer, ContractsAnswer } from '../api/contracts.ts'
import { compareContracts, printChanges } from '../contract/compare.ts'
import { type ContractError, contractDigest, parseContract, printContractError } from '../contract/contract.ts'
import { isAncestor } from '../producer/git.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import {
  type Asking,
  type ContractPlace,
  type PlaceOptions,
  assertCommitted,
  findContractFile,
  findPlace,
  readContracts,
  readVersion,
} from './contract-place.ts'
import { oneLine, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline contract check|register|show|diff`; `init` has a file of its own. */

/** Whether the file is a contract. Needs neither service nor checkout. */
export async function checkContract(named: string | undefined, terminal: Terminal): Promise<ExitCode> {
  const file = named ?? (await findContractFile())
  const text = await readFile(file, 'utf8')
  try {
    const contract = parseContract(text)
    const digest = contractDigest(contract)
    terminal.print({ file, valid: true, contract: digest }, () => `${file} is valid: contract ${digest}\n`)
    if (contract.refs === undefined)
      terminal.say('note: without refs it can be registered only where the default of the org has some')
    return 0
  } catch (error) {
    const errors = errorsOf(error)
    terminal.print({ file, valid: false, errors }, () =>
      errors.map((one) => `${file}:${oneLine(printContractError(one))}\n`).join(''),
    )
    return 1
  }
}

/** Of a contract that was refused here; anything else is thrown on. */
function errorsOf(error: unknown): ContractError[] {
  if (!(error instanceof Problem) || error.code !== 'contract_invalid') throw error
  return error.extra['errors'] as ContractError[] // by parseContract
}

export interface RegisterCommand extends PlaceOptions {
  /** The version that the file was made from. */
  parent?: number
}

export async function register(
  file: string | undefined,
  options: RegisterCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const place = await findPlace(file, options)
  const text = await readFile(place.file, 'utf8')
  const contract = parseContract(text)
  await assertCommitted(place)
  return withService(signal, async (asking) => {
    const { standing } = await readContracts(place.repository, asking)
    const isSame = standing?.contract === contractDigest(contract)
    const parent = options.parent ?? (isSame ? standing.contract_version : await findParent(standing, place, text))
    const { repository, ref, commit } = place
    const body = Buffer.from(JSON.stringify({ repository, text, parent, ref, commit }))
    const headers = { 'content-type': 'application/json' }
    const sent = await asking.client.send({ method: 'PUT', path: '/v1/contracts', headers, body, signal })
    const { contractAnswer } = await import('../api/contracts.ts')
    const answer = contractAnswer.parse(JSON.parse(sent.bytes.toString('utf8')))
    const repeated = sent.status === 200
    terminal.print({ repeated, ...answer }, () => {
      const heading = repeated ? 'already registered' : 'registered'
      return `${oneLine(`${heading}: version ${answer.contract_version} of the contract of ${repository}`)}\n${printMeta(answer)}`
    })
    return 0
  })
}

/**
 * The version that stands, when the commit that it came from is contained in this one: then whoever wrote this file saw it. Otherwise a job
 * of an older commit that comes late would take a newer contract back. Throws Problem('contract_conflict').
 */
async function findParent(standing: ContractsAnswer['standing'], place: ContractPlace, text: string): Promise<number> {
  if (standing === null) return 0
  const { contract_version, commit } = standing
  const { checkout } = place
  const isSeen =
    checkout !== undefined && commit !== undefined
      ? await isAncestor(checkout.folder, commit, place.commit ?? checkout.commit)
      : undefined
  if (isSeen === true) return contract_version
  const why =
    isSeen === false
      ? `comes from commit ${commit}, which this one does not contain`
      : `comes from ${commit === undefined ? 'no commit' : `commit ${commit}, which this checkout does not have`}`
  const difference = printChanges(compareContracts(parseContract(standing.text), parseContract(text)))
  throw new Problem(
    'contract_conflict',
    `version ${contract_version} stands and ${why}. It differs: ${difference.trimEnd().split('\n').join('; ')}`,
  )
}

export interface ShowCommand extends PlaceOptions {
  revision?: number
}

export async function show(options: ShowCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { repository } = await findPlace(undefined, options)
  return withService(signal, async (asking) => {
    if (options.revision !== undefined) {
      const found = await readVersion(repository, options.revision, asking)
      terminal.print(found, () => printContract(found))
      return 0
    }
    const answer = await readContracts(repository, asking)
    const stands = answer.standing ?? answer.org_default
    if (stands === null) throw new Problem('not_found', `${repository} has no contract, and neither has the org`)
    terminal.print(answer, () => {
      const inherits = answer.standing === null ? '' : inheritance(answer)
      return `${printContract(stands)}${inherits}`
    })
    return 0
  })
}

function inheritance({ org_default: org, effective }: ContractsAnswer): string {
  if (org === null || effective?.['inherit'] === false) return ''
  return `# what is not here comes from the default of the org, version ${org.contract_version}, contract ${org.contract}\n`
}

export interface DiffCommand extends PlaceOptions {
  from?: number
  to?: number
}

/** Exit code 0 when nothing differs, 1 when something does. */
export async function diff(
  file: string | undefined,
  options: DiffCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const place = await findPlace(file, options)
  return withService(signal, async (asking) => {
    const { repository } = place
    const { from, to } = options
    const before =
      from === undefined
        ? (await readContracts(repository, asking)).standing
        : await readVersion(repository, from, asking)
    const after =
      to === undefined ? await readFile(place.file, 'utf8') : (await readVersion(repository, to, asking)).text
    const changes = compareContracts(before === null ? undefined : parseContract(before.text), parseContract(after))
    const answer = { repository, from: before?.contract_version ?? null, to: to ?? place.file, changes }
    terminal.print(answer, () => printChanges(changes))
    if (changes.length === 0) terminal.say('nothing differs')
    return changes.length === 0 ? 0 : 1
  })
}

async function withService(signal: AbortSignal, work: (asking: Asking) => Promise<ExitCode>): Promise<ExitCode> {
  const client = await connect()
  try {
    return await work({ client, signal })
  } finally {
    client.close()
  }
}

function printMeta({ contract, parent, ref, commit, id, recorded_at }: ContractAnswer): string {
  const rows = [
    `contract     ${contract}`,
    `parent       ${parent ?? 'none'}`,
    `from         ${ref ?? 'no ref'}, commit ${commit ?? 'unknown'}`,
    `record       ${id}`,
    `recorded_at  ${recorded_at}`,
  ]
  return rows.map((row) => `  ${oneLine(row)}\n`).join('')
}

/** Its text, with where it stands as comments: still a contract. */
function printContract(answer: ContractAnswer): string {
  const { repository, contract_version, contract, ref, commit, recorded_at } = answer
  const from = `${ref === undefined ? '' : ` from ${ref}`}${commit === undefined ? '' : ` at ${commit}`}`
  const head = [
    `version ${contract_version} of ${repository === '*' ? 'the default of the org' : repository}`,
    `contract ${contract}`,
    `registered ${recorded_at}${from}`,
  ]
  return `${head.map((line) => `# ${oneLine(line)}\n`).join('')}${answer.text.trimEnd()}\n`
}
