import type { Readable } from 'node:stream'
import { type Principal, may } from '../access/principal.ts'
import { getArtifact, getProof, getRecord } from '../api/records.ts'
import type { Reader, StoredRecord } from '../ledger/read.ts'
import type { Tree } from '../ledger/tree.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, orgOf, parseRecordId } from '../record/record.ts'
import { chooseEncoding } from './encoding.ts'
import type { Mount } from './mount.ts'

export interface RecordDeps {
  reader: Pick<Reader, 'findRecord'>
  treeOf: (ledger: LedgerName) => Pick<Tree, 'proof'> | undefined
  /** By the digest of the decoded bytes, decoded or as zstd; undefined when there are none. */
  openArtifact: (sha256: string, encoding: 'identity' | 'zstd') => Promise<Readable | undefined>
}

/** Single records, their proofs, and the bytes that they were made from. */
export function mountRecords(mount: Mount, { reader, treeOf, openArtifact }: RecordDeps): void {
  /** What is not there and what this caller may not see look the same. */
  const getVisible = async (who: Principal, id: string): Promise<StoredRecord> => {
    const parsed = parseRecordId(id)
    const isOwn = parsed !== undefined && orgOf(parsed.ledger) === who.org
    const record = isOwn ? await reader.findRecord(id) : undefined
    if (record === undefined || !isVisible(who, record))
      throw new Problem('not_found', `there is no published record ${id}`)
    return record
  }

  mount(getRecord, async ({ who, params, headers }) => {
    const record = await getVisible(who, params.id)
    const caching = { etag: `"${record.id}"`, 'cache-control': 'private, max-age=31536000, immutable' }
    const about = repositoryOf(record)
    if (headers['if-none-match'] === caching.etag) return { status: 304, headers: caching, ...about }
    return { type: 'application/json', headers: caching, body: Buffer.from(record.bytes), ...about }
  })

  mount(getProof, async ({ who, params }) => {
    const record = await getVisible(who, params.id)
    const tree = treeOf(record.ledger)
    if (tree === undefined) throw new Problem('not_found', `there is no published record ${record.id}`)
    return { type: 'text/plain; charset=utf-8', body: await tree.proof(record.seq), ...repositoryOf(record) }
  })

  mount(getArtifact, async ({ who, params, headers }) => {
    // Which repositories an artifact belongs to is not its own to say, so a bound credential gets none.
    if (!may(who, 'audit', {})) throw new Problem('forbidden', 'this credential is bound to repositories')
    // As it is stored where that is taken: nothing is compressed for one reader.
    const accepted = chooseEncoding(headers['accept-encoding']?.toString())
    const encoding = accepted === 'zstd' ? 'zstd' : 'identity'
    const bytes = await openArtifact(params.sha256, encoding)
    if (bytes === undefined) throw new Problem('not_found', `there is no artifact ${params.sha256}`)
    const digest = Buffer.from(params.sha256, 'hex').toString('base64')
    return {
      type: 'application/octet-stream',
      headers: {
        // An encoding is another representation, with a digest of its own that is not known before its end (RFC 9530).
        ...(encoding === 'zstd'
          ? { 'content-encoding': 'zstd', etag: `"${params.sha256}.zst"` }
          : { 'repr-digest': `sha-256=:${digest}:`, etag: `"${params.sha256}"` }),
        vary: 'accept-encoding',
        'accept-ranges': 'none', // it is decoded from its beginning
        'content-disposition': `attachment; filename="${params.sha256}"`,
      },
      body: bytes,
    }
  })
}

function isVisible(who: Principal, record: StoredRecord): boolean {
  if (who.repositories === undefined) return true
  const { about: repository } = repositoryOf(record)
  const subject = repository === undefined ? {} : { repository }
  return may(who, 'feed', subject) || may(who, 'audit', subject)
}

function repositoryOf(record: StoredRecord): { about?: string } {
  const { repository } = JSON.parse(new TextDecoder().decode(record.bytes)) as { repository?: unknown }
  return typeof repository === 'string' ? { about: repository } : {}
}
