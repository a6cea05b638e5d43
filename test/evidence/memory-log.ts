import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { fromBufferPromise } from 'yauzl'
import { createPacks } from '../../src/evidence/pack.ts'
import type { Asked } from '../../src/evidence/question.ts'
import type { PackSources } from '../../src/evidence/sources.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { type Node, appendLeaves, emptyEdge, hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { signStatement, toStatementKey } from '../../src/log/statement.ts'
import { type SigningKey, createSigningKey, printVkey } from '../../src/log/vkey.ts'
import { type LedgerName, type RecordKind, encodeRecord, ledgerKinds, recordId } from '../../src/record/record.ts'
import { printPayload } from '../../src/record/run.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { manifestPayloadType, packNames, printManifest, printSums } from '../../src/verify/pack-format.ts'
import type { PackTrust } from '../../src/verify/pack-log-check.ts'
import type { PackSource } from '../../src/verify/pack-source.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { storedRecord } from '../support/stored-record.ts'

type Of = Record<'kind' | 'repository' | 'run' | 'suite' | 'ref' | 'commit' | 'path', string> & { seq: number; admitted?: boolean } // oxfmt-ignore

/** Four ledgers in memory with real hashes and signatures: what a pack is made from, without a database. */
export interface MemoryLog {
  add(ledger: LedgerName, kind: RecordKind, fields: object): StoredRecord
  /** A whole run: declaration, `files` coverage records, part, seal. */
  addRun(run: string, more?: { repository?: string; files?: number; admitted?: boolean; state?: string }): void
  records(ledger: LedgerName): readonly StoredRecord[]
  artifacts: Map<string, Buffer>
  sources: PackSources
  trust: PackTrust
  /** Signs whatever a liar wants to have signed by the statement key. */
  sign: PackSources['signStatement']
}

export const commit = '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b'
export const origin = (ledger: LedgerName): string => `logs.example/${ledger}`
export const startAt = Date.parse('2026-11-01T00:00:00Z') * 1000

export async function createMemoryLog(): Promise<MemoryLog> {
  const ledgers = ledgerKinds.map((kind): LedgerName => `main/${kind}`)
  const logs = new Map<LedgerName, { records: StoredRecord[]; key: SigningKey }>()
  for (const [i, ledger] of ledgers.entries())
    logs.set(ledger, { records: [], key: await createSigningKey(origin(ledger), 1, new Uint8Array(32).fill(i + 1)) })
  const statementKey = await createSigningKey('logs.example/main/statement', 1, new Uint8Array(32).fill(9))
  const artifacts = new Map<string, Buffer>()
  let time = startAt

  const logOf = (ledger: LedgerName) => {
    const found = logs.get(ledger)
    if (found === undefined) throw new Error(ledger)
    return found
  }
  const leaves = (ledger: LedgerName, from: number, to: number): Buffer =>
    Buffer.concat(
      logOf(ledger)
        .records.slice(from, to)
        .map(({ bytes }) => hashLeaf(bytes)),
    )
  const noteOf = async (ledger: LedgerName, size: number) => {
    const { root } = appendLeaves(emptyEdge, leaves(ledger, 0, size))
    return { size, note: await sealNote(printCheckpoint({ origin: origin(ledger), size, root }), [logOf(ledger).key]) }
  }
  const sign: PackSources['signStatement'] = (type, payload) =>
    signStatement(type, payload, [toStatementKey(statementKey)])

  const add: MemoryLog['add'] = (ledger, kind, fields) => {
    const { records } = logOf(ledger)
    const seq = records.length
    const payload = printPayload(kind, ledger, fields)
    time += 1_000_000
    const bytes = encodeRecord(payload, { ledger, seq, recordedAt: time })
    const record = storedRecord({ ledger, seq, recordedAt: time, id: recordId(ledger, seq, sha256Hex(payload)), kind, bytes }) // oxfmt-ignore
    records.push(record)
    return record
  }

  for (const [of, key] of [
    ...[...logs].map(([ledger, { key }]) => [ledger, key] as const),
    ['main/statement', statementKey] as const,
  ])
    // oxfmt-ignore
    add('main/operations', 'key', { of, origin: key.name, vkey: printVkey(key), guard: '0'.repeat(32) })

  return {
    add,
    addRun(run, { repository = 'github.com/acme/payments', files = 5, admitted = true, state = '1-3' } = {}) {
      const ledger: LedgerName = run.endsWith('.unit') ? 'main/unit' : 'main/integration'
      const test_type = ledger.slice(5)
      const identity = { run, repository, commit, ref: 'refs/heads/main', suite: 'api', test_type }
      const report = Buffer.from(`TN:${run}\n`)
      const artifact_sha256 = createHash('sha256').update(report).digest('hex')
      artifacts.set(artifact_sha256, report)
      const { seq: first } = add(ledger, 'run', { ...identity, by: { method: 'token', subject: 't' } })
      for (let i = 0; i < files; i++) {
        const lines = { found: 6, covered: 3, partial: 0, missed: 3 }
        add(ledger, 'coverage', { run, part: 'lcov.info', ordinal: i, repository, commit, ref: 'refs/heads/main', suite: 'api', test_type, path: `src/f${i}.ts`, blob: 'b'.repeat(40), metric: 'line', definition: 'lcov.da@1', lines, artifact_sha256, ranges: { covered: state, partial: '', missed: '4-6' } }) // oxfmt-ignore
      }
      const ranges = files === 0 ? [] : [[first + 1, first + files]]
      const { seq: last } = add(ledger, 'part', { ...identity, part: 'lcov.info', artifact_sha256, bytes: report.length, format: 'lcov', metric: 'line', definition: 'lcov.da@1', tool: null, files, ranges }) // oxfmt-ignore
      add(ledger, 'seal', { ...identity, admitted, reasons: admitted ? [] : ['tests_failed'], outcome: 'completed', tests: { total: 3, passed: 3, failed: 0, skipped: 0 }, parts: 1, records: { first, last, count: last - first + 1 }, by: { method: 'token', subject: 't' }, totals: [{ metric: 'line', definition: 'lcov.da@1', parts: 1, files, lines: { found: 6, covered: 3, partial: 0, missed: 3 } }], root: 'ab'.repeat(32) }) // oxfmt-ignore
    },
    records: (ledger) => logOf(ledger).records,
    artifacts,
    sign,
    trust: { keys: [...[...logs.values()].map(({ key }) => key), statementKey] },
    sources: {
      org: 'main',
      ledgers,
      originOf: origin,
      async *records(ledger, from, until, kinds) {
        yield* logOf(ledger)
          .records.slice(from, until)
          .filter(({ kind }) => kinds.has(kind))
      },
      async seqAt(ledger, at) {
        const index = logOf(ledger).records.findIndex(({ recordedAt }) => recordedAt >= at)
        return index < 0 ? logOf(ledger).records.length : index
      },
      checkpoints: {
        isWitnessed: false,
        newest: (ledger) => noteOf(ledger, logOf(ledger).records.length),
        atOrAfter: async (ledger, size) => (size > logOf(ledger).records.length ? undefined : noteOf(ledger, size)),
      },
      files: {
        reach: async () => {},
        async runs(ledger, repository, path, until) {
          const all = logOf(ledger).records.slice(0, until).map((one) => ({ seq: one.seq, kind: one.kind, ...fieldsOf(one.bytes) }) as Of) // oxfmt-ignore
          const ends = all.filter(
            (one) => one.repository === repository && (one.kind === 'seal' || one.kind === 'abandonment'),
          )
          return ends.map(({ seq, run, suite, ref, commit: of, admitted }) => {
            const counted = admitted === true
            const records = all.filter(
              (one) => counted && one.kind === 'coverage' && one.run === run && one.path === path,
            )
            return { seq, run, suite, ref, commit: of, counted, records: records.map((one) => one.seq), same: seq }
          })
        },
        maps: async (ledger, _repository, path, from, to) =>
          logOf(ledger).records.slice(from, to).filter(({ kind, bytes }) => kind === 'linemap' && fieldsOf(bytes)['path'] === path).map(({ seq }) => seq), // oxfmt-ignore
        ids: async (ledger, seqs) => new Map(seqs.map((seq) => [seq, logOf(ledger).records[seq]?.id ?? ''])),
      },
      nodes: async (ledger, wanted: readonly Node[]) =>
        wanted.map(({ height, index }) => rootOfLeaves(leaves(ledger, index * 2 ** height, (index + 1) * 2 ** height))),
      partSeqs: async (ledger, run) =>
        logOf(ledger).records.filter(({ kind, bytes }) => kind === 'part' && fieldsOf(bytes)['run'] === run).map(({ seq }) => seq), // oxfmt-ignore
      openArtifact: async (sha256) => {
        const bytes = artifacts.get(sha256)
        return bytes === undefined ? undefined : Readable.from([bytes])
      },
      signStatement: sign,
      policy: async () => `${[...logs.values()].map(({ key }) => `log ${printVkey(key)}\n`).join('')}quorum none\n`,
      timestamps: async () => [],
    },
  }
}

export const fieldsOf = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>

/** The files of a pack, by name. */
export type Files = Map<string, Buffer>

export async function makePack(sources: PackSources, more: Partial<Asked> = {}): Promise<Buffer> {
  const asked: Asked = { from: '2026-11-01T00:00:00Z', sample: 3, seed: 'root', stratify: ['test_type', 'repository'], ...more } // oxfmt-ignore
  const { stream } = await createPacks(sources)(asked, { id: 'token:auditor', method: 'token', bound: false })
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export async function unzip(zip: Buffer): Promise<Files> {
  const files: Files = new Map()
  const opened = await fromBufferPromise(zip, { lazyEntries: true })
  for await (const entry of opened.eachEntry()) {
    const chunks: Buffer[] = []
    for await (const chunk of await opened.openReadStreamPromise(entry)) chunks.push(chunk as Buffer)
    files.set(entry.fileName, Buffer.concat(chunks))
  }
  return files
}

export function sourceOf(files: Files): PackSource {
  const get = (name: string): Buffer => {
    const bytes = files.get(name)
    if (bytes === undefined) throw new Error(`${name} is missing`)
    return bytes
  }
  return {
    names: [...files.keys()],
    async *open(name) {
      const bytes = get(name)
      // In pieces that end anywhere, as files are read.
      for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000)
    },
    digest: async (name) => ({
      bytes: get(name).length,
      sha256: createHash('sha256').update(get(name)).digest('hex'),
    }),
  }
}

/** What a server does that lies: changes files and signs the whole anew. */
export async function resign(files: Files, sign: PackSources['signStatement']): Promise<Files> {
  const list = [...files].filter(([name]) => name !== packNames.manifest && name !== packNames.signature && name !== packNames.sums) // oxfmt-ignore
  const digest = ([name, bytes]: [string, Buffer]) => ({ name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }) // oxfmt-ignore
  const sums = Buffer.from(printSums(list.map(digest)))
  const manifest = Buffer.from(printManifest([...list.map(digest), digest([packNames.sums, sums])]))
  const signature = Buffer.from(await sign(manifestPayloadType, manifest))
  return new Map([...list, [packNames.sums, sums], [packNames.manifest, manifest], [packNames.signature, signature]])
}
