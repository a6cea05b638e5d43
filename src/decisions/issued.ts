import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { resolveAsOf } from '../answers/as-of.ts'
import type { SubjectDeps } from '../answers/subject.ts'
import { decisionsOfCommit } from '../history/decision-store.ts'
import { LogError } from '../log/log-error.ts'
import { maxStatementBytes, parseStatement } from '../log/statement.ts'
import { findReport, reportPayloadType } from './reports.ts'
import type { StandingDeps } from './standing.ts'

/**
 * Finds the bytes of a report that a record names: issued ones by the digest of the report or of its envelope, and those that a gate was decided
 * by. The artifact store holds what anybody pushed, so what no record of `changes` names is no report, whatever it says it is.
 */

export interface FoundReport {
  repository: string
  type: 'application/json' | 'application/vnd.dsse+json'
  bytes: Buffer
}

export interface IssuedDeps extends StandingDeps {
  subjects: Pick<SubjectDeps, 'db' | 'reader'>
  openArtifact: (sha256: string) => Promise<Readable | undefined>
}

export async function findIssued(deps: IssuedDeps, sha256: string): Promise<FoundReport | undefined> {
  const bytes = await readBytes(deps, sha256)
  if (bytes === undefined) return undefined
  const issued = await findReport(deps, sha256)
  if (issued !== undefined) return { repository: issued.fields.repository, type: 'application/json', bytes }
  return (await asEnvelope(deps, sha256, bytes)) ?? (await asGateReport(deps, sha256, bytes))
}

/** An envelope is half as long again as what it holds: base64, names and signatures. */
const maxBytes = 1.5 * maxStatementBytes + 65_536

async function readBytes({ openArtifact }: IssuedDeps, sha256: string): Promise<Buffer | undefined> {
  const stream = await openArtifact(sha256)
  if (stream === undefined) return undefined
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer) // a stream of bytes
    length += (chunk as Buffer).length
    if (length > maxBytes) return undefined // leaving the loop destroys the stream
  }
  return Buffer.concat(chunks)
}

async function asEnvelope(deps: IssuedDeps, sha256: string, bytes: Buffer): Promise<FoundReport | undefined> {
  try {
    const { payloadType, payload } = parseStatement(bytes)
    if (payloadType !== reportPayloadType) return undefined
    const issued = await findReport(deps, hash('sha256', payload, 'hex'))
    if (issued?.fields.envelope_sha256 !== sha256) return undefined
    return { repository: issued.fields.repository, type: 'application/vnd.dsse+json', bytes }
  } catch (error) {
    if (error instanceof LogError) return undefined
    throw error
  }
}

/** A gate is found by the commit that its report is about. */
async function asGateReport(deps: IssuedDeps, sha256: string, bytes: Buffer): Promise<FoundReport | undefined> {
  const { repository, commit } = readSubject(bytes)
  if (repository === undefined || commit === undefined) return undefined
  const { ledgers } = await resolveAsOf(deps.subjects, deps.chain, undefined)
  for (const { ledger, size } of ledgers) {
    const decisions = await decisionsOfCommit(deps.db, ledger, size, repository, commit)
    const names = ({ kind, fields }: (typeof decisions)[number]): boolean =>
      kind === 'gate' && (JSON.parse(fields) as { report?: string }).report === sha256
    if (decisions.some(names)) return { repository, type: 'application/json', bytes }
  }
  return undefined
}

function readSubject(bytes: Buffer): { repository?: string; commit?: string } {
  // Whatever was pushed may be under this digest; a report begins with what it is as of.
  if (!bytes.subarray(0, 10).equals(Buffer.from('{"as_of":"'))) return {}
  try {
    const { repository, subject } = JSON.parse(bytes.toString()) as { repository?: unknown; subject?: { commit?: unknown } | null } // oxfmt-ignore
    const commit = subject?.commit
    return typeof repository === 'string' && typeof commit === 'string' ? { repository, commit } : {}
  } catch {
    return {}
  }
}
