import { readFile } from 'node:fs/promises'
import { type Config, ConfigError } from '../config.ts'
import { LogError } from '../log/log-error.ts'
import { type Policy, type PolicyWitness, parsePolicy, satisfies } from '../log/policy.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import type { Keeper } from './keeping.ts'
import { type Asker, openAsker } from '../vouching/ask.ts'
import { runWitnesses } from '../vouching/run-witnesses.ts'
import { witnessStandings, type WitnessStanding } from '../vouching/standing.ts'
import type { Finding } from '../watch/alerts.ts'

/** The policy that `log.policy` names. Throws ConfigError for one that is none, or whose quorum nobody who can be asked could fill. */
export async function readPolicy({ log: { policy: path } }: Pick<Config, 'log'>): Promise<Policy | undefined> {
  if (path === undefined) return undefined
  const policy = parse(path, await read(path))
  for (const { name, url } of policy.witnesses)
    if (url !== undefined && !/^https?:\/\/[^\s?#]+$/.test(url))
      throw new ConfigError(`log.policy: ${path}: the address of witness ${name} is no http or https URL`)
  const askable = policy.witnesses.filter(isAskable)
  if (!satisfies(policy, askable.map(({ key }) => key)))
    throw new ConfigError(`log.policy: ${path}: the quorum needs witnesses that have no address here`)
  return policy
} // oxfmt-ignore

/** A witness of the policy that has an address. */
export interface AskedWitness {
  name: string
  key: PolicyWitness['key']
  asker: Asker
}

export async function openWitnesses(policy: Policy | undefined, settings: Config['witness']): Promise<AskedWitness[]> {
  const opened: AskedWitness[] = []
  for (const { name, key, url } of (policy?.witnesses ?? []).filter(isAskable))
    opened.push({ name, key, asker: await openAsker(url, settings) })
  return opened
}

/** Takes checkpoints to the witnesses that are asked. */
export const keepWitnesses: Keeper = async (deps, work) => {
  const { config, db, ledgers, books, signer, witnesses, log, metrics } = deps
  if (witnesses.length === 0) return async () => []
  const followed = ledgers.flatMap((ledger) => {
    const book = books.get(ledger)
    const logKeys = async () => (await signer.keys(ledger)).map(parseTrustedKey) // a rotation may come at any time
    return book === undefined ? [] : [{ ledger, logKeys, consistency: book.tree.consistency }]
  })
  const { every_ms: everyMs, refresh_ms: refreshMs } = config.witness
  const now = (): Date => new Date()
  work('witnesses', (ending) =>
    runWitnesses({ db, witnesses, ledgers: followed, everyMs, refreshMs, now, log }, ending),
  )
  const standings = () => witnessStandings(db, ledgers, witnesses.map(({ key }) => key)) // oxfmt-ignore
  metrics.setWitnesses(standings)
  const silentMs = Math.max(10 * everyMs, 600_000)
  return async () => (await standings()).flatMap((one) => findingOf(one, now().getTime() - silentMs))
}

/** What is wrong with one witness; `before`: who has not been asked since then, though there is something to cosign, is not served at all. */
function findingOf(standing: WitnessStanding, before: number): Finding[] {
  const { ledger, witness, lag, failing_since, asked_at, cosigned_at, detail, contradicts } = standing
  const subject = `${witness} ${ledger}`
  if (contradicts) return [{ code: 'log_mismatch', subject, detail: `witness: ${detail}` }]
  if (failing_since !== null) return [{ code: 'witness_silent', subject, detail: `since ${failing_since}: ${detail}` }]
  const isForgotten = lag > 0 && asked_at !== null && Date.parse(asked_at) < before
  if (!isForgotten) return []
  return [{ code: 'witness_silent', subject, detail: `it was asked last at ${asked_at}, cosigned at ${cosigned_at ?? 'no time'}` }] // oxfmt-ignore
}

/** Every witness of the policy, for the status: also one that others ask. */
export const standingsOf = (
  deps: Pick<Parameters<Keeper>[0], 'db' | 'ledgers' | 'witnessed'>,
): Promise<WitnessStanding[]> =>
  witnessStandings(deps.db, deps.ledgers, deps.witnessed.policy?.witnesses.map(({ key }) => key) ?? [])

const isAskable = (witness: PolicyWitness): witness is PolicyWitness & { url: string } => witness.url !== undefined

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw new ConfigError(`log.policy: ${path}: ${error instanceof Error ? error.message : String(error)}`)
  })
}

function parse(path: string, text: Buffer): Policy {
  try {
    return parsePolicy(text)
  } catch (error) {
    if (error instanceof LogError) throw new ConfigError(`log.policy: ${path}: ${error.message}`)
    throw error
  }
}
