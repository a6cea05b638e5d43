import { type DeploymentAnswer, deployment as deploymentShape, deploymentList } from '../api/deployments.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { askedCommit } from './commit-name.ts'
import { connect } from './connect.ts'
import { findPlace } from './contract-place.ts'
import { type SubjectOptions, defined, findSubject } from './decision-place.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'

/** `proofline deployed`, `proofline deployments`. */

export interface DeployedCommand extends SubjectOptions {
  environment?: string
  id?: string
  artifact?: string
  url?: string
  deployedAt?: string
}

export async function deployed(
  named: string | undefined,
  options: DeployedCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { repository, commit, build, ref, ci } = await findSubject(named, options)
  const environment = options.environment ?? ci?.job.environment
  if (environment === undefined) throw new Problem('request_invalid', 'say where to: --environment NAME')
  const attempt = ci?.attempt === undefined ? '' : `~${ci.attempt}`
  const id = options.id ?? (ci === undefined ? undefined : `${ci.provider}.${ci.pipeline}${attempt}.${environment}`)
  if (id === undefined) throw new Problem('request_invalid', 'outside CI a deployment needs a name of its own: --id NAME')
  const { artifact, url = ci?.url, deployedAt: deployed_at } = options
  const body = defined({ repository, commit, build, ref, environment, artifact, url, deployed_at })
  const client = await connect()
  try {
    const path = `/v1/deployments/${encodeURIComponent(id)}`
    const headers = { 'content-type': 'application/json' }
    const sent = await client.send({ method: 'PUT', path, headers, body: Buffer.from(JSON.stringify(body)), signal })
    const answer = deploymentShape.parse(JSON.parse(sent.bytes.toString('utf8')))
    const repeated = sent.status === 200
    terminal.print(answer, () => `${repeated ? 'already recorded' : 'recorded'}: ${printDeployment(answer)}`)
    if (answer.enforced && !['pass', 'overridden'].includes(answer.decision))
      terminal.say(`note: the gate said ${answer.decision}: an alert stays open until the gate is overridden or somebody disposes of the deployment`)
    return 0
  } finally {
    client.close()
  }
} // oxfmt-ignore

function printDeployment({ deployment, environment, build, commit, decision, gate, id }: DeploymentAnswer): string {
  const of = build === undefined ? commit.slice(0, 12) : `${build} (${commit.slice(0, 12)})`
  return `${oneLine(`${deployment}: ${of} to ${environment}, gate ${decision}`)}\n  record  ${id}\n${gate === null ? '' : `  gate    ${gate}\n`}`
}

export interface ListCommand {
  repository?: string
  all?: boolean
  from?: string
  to?: string
  asOf?: string
  before?: string
  limit?: number
}

/** Of the repository that is checked out, unless another one is named or all are meant. */
export async function listQuery({ repository, all, asOf, from, to, before, limit }: ListCommand) {
  const of = all === true ? undefined : (repository ?? (await findPlace(undefined, {})).repository)
  return { repository: of, from, to, as_of: asOf, before, limit }
}

export async function deployments(
  { environment, decision, commit, build, ...list }: ListCommand & { environment?: string; decision?: string; commit?: string; build?: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const of = { environment, decision, build, commit: commit === undefined ? undefined : await askedCommit(commit) }
  const path = withQuery('/v1/deployments', { ...(await listQuery(list)), ...of })
  const answer = await ask(deploymentList, { method: 'GET', path, signal })
  terminal.print(answer, () => {
    if (answer.deployments.length === 0) return 'no deployments\n'
    const rows = answer.deployments.map((one) => [
      one.recorded_at.slice(0, 19),
      one.environment,
      one.deployment,
      one.build ?? one.commit.slice(0, 12),
      one.decision,
      oneLine(one.dispositions.map(({ note, lapsed }) => (lapsed === undefined ? note : `(lapsed) ${note}`)).join('; ')),
    ])
    const more = answer.has_more ? `more: --before ${answer.deployments.at(-1)?.id ?? ''}\n` : ''
    return `${printTable([['recorded', 'environment', 'deployment', 'of', 'gate', 'disposition'], ...rows])}${more}as of ${answer.as_of}\n`
  })
  return 0
} // oxfmt-ignore
