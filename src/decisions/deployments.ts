import type { Principal } from '../access/principal.ts'
import type { Builds } from '../admission/builds.ts'
import type { RecordingRefusals } from '../admission/refusals.ts'
import { byOf } from '../admission/identity.ts'
import type { Offered } from '../admission/submissions.ts'
import type { Contract } from '../contract/form.ts'
import { isSameDigest } from '../ledger/decide.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { findSubmissions } from '../ledger/store.ts'
import { changeKeys, deploymentDigest } from '../record/change-keys.ts'
import { type DeploymentFields, deploymentPayload } from '../record/changes.ts'
import { Problem } from '../record/problem.ts'
import { type Standing, type StandingDeps, newestGateOf, newestOverride, readStanding } from './standing.ts'
import { type Named, type Resolved, demandDecider, resolveNamed } from './subjects.ts'

/** Puts a deployment on record with the gate decision that stood. Write-once: the same again is the same record, anything else a conflict. */

export interface DeploymentOffer extends Named {
  deployment: string
  environment: string
  /** SHA-256 of what was deployed. */
  artifact?: string | undefined
  url?: string | undefined
  deployed_at?: string | undefined
}

export interface DeploymentsDeps extends StandingDeps {
  org: string
  builds: Builds
  /** `<org>/changes` */
  book: Book
  contractOf: (repository: string) => Promise<Contract | undefined>
  recordingRefusals: RecordingRefusals
}

export type RecordDeployment = (
  who: Principal,
  offer: DeploymentOffer,
) => Promise<{ created: boolean; recorded: Standing<DeploymentFields> }>

export function createDeployments(deps: DeploymentsDeps): RecordDeployment {
  return (who, offer) => {
    const { repository, commit } = offer
    const offered: Offered = { ledger: deps.book.ledger, repository, commit, by: byOf(who) }
    return deps.recordingRefusals(offered, () => record(deps, who, offer, offered))
  }
}

async function record(
  deps: DeploymentsDeps,
  who: Principal,
  { deployment, environment, artifact, url, deployed_at, ...named }: DeploymentOffer,
  offered: Offered,
): ReturnType<RecordDeployment> {
  const { org, builds, book } = deps
  demandDecider(who, org, named.repository)
  const subject = await resolveNamed(builds, who, named)
  const { repository, commit, build, build_seq } = subject
  const told = { repository, deployment, environment, build, build_seq, commit, artifact, url, deployed_at }
  const key = changeKeys.deployment(told)
  const digest = deploymentDigest(told)
  const refuse = async (): Promise<Problem> => {
    const stands = await findFirst(deps, key)
    if (stands === undefined) return new Problem('unavailable', 'the first one is not published yet')
    offered.sha256 = Buffer.from(digest).toString('hex')
    offered.first = { sha256: Buffer.from(stands.digest).toString('hex'), seq: stands.seq }
    return new Problem('deployment_conflict', printConflict(deployment, stands, told), { extra: { first: stands.id } })
  }
  const known = await findFirst(deps, key)
  if (known !== undefined) {
    if (!isSameDigest(known.digest, digest)) throw await refuse()
    return { created: false, recorded: known }
  }
  const fields: DeploymentFields = { ...told, ...(await decisionOf(deps, subject)), by: byOf(who) }
  try {
    // A gate that is recorded between the look and this is not what stood: the record names the one that it saw.
    const [recorded] = await book.appender.submit([
      { key, digest, conflict: 'deployment_conflict', segments: [packSegment('deployment', [deploymentPayload(book.ledger, fields)])] },
    ])
    if (recorded === undefined) throw new Error('the appender answered nothing')
    return { created: !recorded.repeated, recorded: await readStanding(deps, book.ledger, recorded) }
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'deployment_conflict') throw error
    throw await refuse()
  }
} // oxfmt-ignore

/** Also in a generation that was closed: what was deployed then has its name for ever. */
async function findFirst(
  deps: DeploymentsDeps,
  key: string,
): Promise<(Standing<DeploymentFields> & { digest: Buffer }) | undefined> {
  for (const ledger of deps.chain) {
    const [found] = await findSubmissions(deps.db, ledger, [key], [])
    if (found !== undefined)
      return { ...(await readStanding<DeploymentFields>(deps, ledger, found)), digest: found.digest }
  }
  return undefined
}

/** Of the newest gate of its commit, whatever build was named, or of who overrode that one. */
async function decisionOf(
  deps: DeploymentsDeps,
  { repository, commit }: Resolved,
): Promise<Pick<DeploymentFields, 'decision' | 'enforced' | 'gate' | 'override'>> {
  const [newest, contract] = await Promise.all([
    newestGateOf(deps, { repository, commit }),
    deps.contractOf(repository),
  ])
  const enforced = contract !== undefined && contract.mode !== 'observe'
  if (newest === undefined) return { decision: 'none', enforced, gate: null }
  const override = newest.fields.verdict === 'pass' ? undefined : await newestOverride(deps, newest.id)
  return override === undefined
    ? { decision: newest.fields.verdict, enforced, gate: newest.id }
    : { decision: 'overridden', enforced, gate: newest.id, override: override.id }
}

const asserted = ['environment', 'build', 'commit', 'artifact', 'url', 'deployed_at'] as const

function printConflict(
  name: string,
  { id, fields }: Standing<DeploymentFields>,
  told: Pick<DeploymentFields, (typeof asserted)[number]>,
): string {
  const differs = asserted.filter((member) => fields[member] !== told[member])
  const each = differs.map((member) => `${member} ${fields[member] ?? 'none'}, not ${told[member] ?? 'none'}`)
  return `the deployment ${name} is on record (${id}) with ${each.join('; ')}. Another deployment needs another id`
}
