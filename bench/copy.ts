import { once } from 'node:events'
import type { Socket } from 'node:net'
import pg from 'pg'

/**
 * What the record rate is held against: COPY of the same records, already parsed, one a row with columns of their own and the three indexes
 * that such a table needs. No signature, no hash, no tree; one statement, one commit, one connection.
 */

const table = `create table coverage (
  seq bigint primary key, id text not null unique, recorded_at timestamptz not null, run text not null, part text not null, ordinal integer not null,
  repository text not null, commit text not null, ref text, suite text not null, test_type text not null, path text not null, blob text,
  definition text not null, found integer not null, covered integer not null, partial integer not null, missed integer not null,
  branches_found integer, branches_covered integer, functions_found integer, functions_covered integer, artifact_sha256 text not null,
  covered_lines text not null, partial_lines text not null, missed_lines text not null);
  create index coverage_path on coverage (repository, path, recorded_at)`

interface CoverageRecord {
  seq: number
  id: string
  recorded_at: string
  run: string
  part: string
  ordinal: number
  repository: string
  commit: string
  ref?: string
  suite: string
  test_type: string
  path: string
  blob?: string
  definition: string
  lines: { found: number; covered: number; partial: number; missed: number }
  branches?: { found: number; covered: number }
  functions?: { found: number; covered: number }
  artifact_sha256: string
  ranges: { covered: string; partial: string; missed: string }
}

/** Record bytes as one row in COPY's text form. */
export function toRow(line: string): string {
  const r = JSON.parse(line) as CoverageRecord // a record of kind coverage
  const values = [
    r.seq, r.id, r.recorded_at, r.run, r.part, r.ordinal, r.repository, r.commit, r.ref, r.suite, r.test_type, r.path, r.blob, r.definition,
    r.lines.found, r.lines.covered, r.lines.partial, r.lines.missed, r.branches?.found, r.branches?.covered, r.functions?.found, r.functions?.covered,
    r.artifact_sha256, r.ranges.covered, r.ranges.partial, r.ranges.missed,
  ] // oxfmt-ignore
  return `${values.map((value) => (value === undefined ? '\\N' : String(value).replace(/[\\\t\n\r]/g, '\\$&'))).join('\t')}\n`
}

/** Rows gathered to chunks of a size that the socket likes. */
export function toChunks(rows: readonly string[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < rows.length; at += 200) chunks.push(Buffer.from(rows.slice(at, at + 200).join('')))
  return chunks
}

export interface CopyTable {
  /** Rows copied, and the seconds it took. */
  copy(chunks: readonly Buffer[]): Promise<{ rows: number; seconds: number }>
  close(): Promise<void>
}

/** A database of its own on the same server, so that the ledger beside it stays as it is. */
export async function createCopyTable(url: string): Promise<CopyTable> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query('create database bench')
  await admin.end()
  const client = new pg.Client({ connectionString: url.replace('/proofline?', '/bench?') })
  await client.connect()
  await client.query(table)
  return {
    async copy(chunks) {
      const began = performance.now()
      const rows = await copyIn(client, 'copy coverage from stdin', chunks)
      return { rows, seconds: (performance.now() - began) / 1000 }
    },
    close: () => client.end(),
  }
}

/** The driver's connection, as far as COPY needs it; its types leave it out. */
interface Connection {
  stream: Socket
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sendCopyFail(message: string): void
}

function copyIn(client: pg.Client, text: string, chunks: readonly Buffer[]): Promise<number> {
  return new Promise((resolve, reject) => {
    let rows = 0
    const feed = async (connection: Connection): Promise<void> => {
      for (const chunk of chunks) {
        connection.sendCopyFromChunk(chunk)
        if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain')
      }
      connection.endCopyFrom()
    }
    const statement = {
      submit: (connection: Connection) => connection.query(text),
      handleCopyInResponse: (connection: Connection) =>
        void feed(connection).catch((error: unknown) => connection.sendCopyFail(String(error))),
      handleCommandComplete: (message: { text: string }) => (rows = Number(message.text.split(' ')[1])),
      handleReadyForQuery: () => resolve(rows),
      handleError: (error: Error) => reject(error),
      handleRowDescription() {},
      handleDataRow() {},
      handlePortalSuspended() {},
      handleEmptyQuery() {},
      handleCopyData() {},
    }
    client.query(statement as unknown as pg.Submittable) // the driver calls these; its types know only submit
  })
}
