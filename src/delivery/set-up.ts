import { Problem } from '../record/problem.ts'
import { type ElasticAdmin, dig, errorOf, objectionTo, readFlavour } from './elastic-admin.ts'
import { type Flavour, type SetupRequest, basesOf, policyName, setupRequests } from './elastic-setup.ts'
import type { ElasticSettings } from './settings.ts'

export interface SetupReport {
  flavour: Flavour
  version: string
  requests: SetupRequest[]
  /** What a person should know besides. */
  notes: string[]
}

/**
 * Installs pipeline, lifecycle, templates and aliases, in the order in which they need each other; repeating it is harmless. Throws
 * Problem `destination_refused` for what stands in the way, before anything is changed where that can be told. `beforeChange` is
 * called when nothing stands in the way; without it nothing is changed.
 */
export async function setUpElastic(
  admin: ElasticAdmin,
  settings: ElasticSettings,
  beforeChange: (() => Promise<void>) | undefined,
): Promise<SetupReport> {
  const { flavour, version, status } = await readFlavour(admin)
  if (flavour === undefined)
    throw new Problem(
      'destination_refused',
      `${settings.url} does not say what it is: HTTP ${status} to GET /; setting up needs a credential with the cluster privilege monitor`,
    )
  for (const base of basesOf(settings)) {
    const objection = await objectionTo(admin, base)
    if (objection !== undefined) throw new Problem('destination_refused', objection)
  }
  const isManaged = flavour !== 'opensearch' || settings.keeps === undefined || (await hasIsm(admin))
  const requests = setupRequests(settings, flavour).filter(({ path }) => isManaged || !isIsm(path))
  if (beforeChange !== undefined) {
    await beforeChange()
    for (const request of requests) await install(admin, request)
  }
  return {
    flavour,
    version,
    requests,
    notes: [...(isManaged ? notesOn(settings, flavour) : [unmanaged]), ...(await guessedIndices(admin, settings))],
  }
}

const isIsm = (path: string): boolean => path.startsWith('/_plugins/_ism/')
const unmanaged = 'this OpenSearch has no index state management (a plugin): old months are yours to delete'

/** Asked for before anything is changed: the minimal distribution has no handler for it, and says so with 400. */
async function hasIsm(admin: ElasticAdmin): Promise<boolean> {
  const answer = await admin.ask('GET', `/_plugins/_ism/policies/${policyName}`)
  return answer.status !== 400 || !errorOf(answer).includes('no handler found')
}

async function install(admin: ElasticAdmin, { path, body }: SetupRequest): Promise<void> {
  let answer = await admin.ask('PUT', path, body)
  if (answer.status === 409 && isIsm(path)) {
    // An ISM policy that is there is replaced only by who names the version that it replaces.
    const { body: known } = await admin.ask('GET', path)
    const version = `if_seq_no=${String(dig(known, '_seq_no'))}&if_primary_term=${String(dig(known, '_primary_term'))}`
    answer = await admin.ask('PUT', `${path}?${version}`, body)
  }
  if (answer.status >= 300) throw new Problem('destination_refused', `PUT ${path}: ${errorOf(answer)}`)
}

function notesOn(settings: ElasticSettings, flavour: Flavour): string[] {
  if (settings.keeps === undefined) return ['nothing is ever deleted: give `keeps` for a lifecycle that deletes']
  return flavour === 'serverless'
    ? ['a serverless project has no index lifecycle: old months are yours to delete']
    : [`lifecycle ${policyName}: an index is deleted ${settings.keeps} after the end of its month, at the earliest`]
}

/** Indices that were made before there was a template: their mapping was guessed, and a template does not change it. */
async function guessedIndices(admin: ElasticAdmin, settings: ElasticSettings): Promise<string[]> {
  const notes: string[] = []
  for (const base of basesOf(settings)) {
    const { status, body } = await admin.ask('GET', `/${base}-*/_mapping`)
    if (status !== 200 || typeof body !== 'object' || body === null) continue
    for (const [index, found] of Object.entries(body)) {
      if (dig(found, 'mappings', 'dynamic') !== 'strict')
        notes.push(
          `${index} was made without this template: reindex it, or live with a guessed mapping until its month ends`,
        )
    }
  }
  return notes
}
