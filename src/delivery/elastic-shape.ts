import type { StoredRecord } from '../ledger/read.ts'
import { blockSize } from '../record/record.ts'
import { viewOf } from './body.ts'
import { eventHead, relatedOf, vcsOf } from './elastic-document.ts'

/**
 * What the coverage records of one part share, which is most of their text and most of what is written of them to Elastic: made once,
 * from the first of them, in the forms in which it is compared and written (elastic-coverage.ts).
 */

/** Text of a record, to be compared, and its form in `event.original`. */
export interface Piece {
  plain: Text
  escaped: Text
}

/** Bytes, and a view of them that can be read by words: there are three more. */
export interface Text {
  bytes: Buffer
  view: DataView
}

export interface CoverageShape {
  idLength: number
  block: number
  seqLength: number
  /** From here on a seq has more digits. */
  below: number
  /** Where recorded_at stands in the record. */
  time: number
  /** The record from behind recorded_at to the ordinal, on to the path, from behind the blob to the first count, and the artifact. */
  toOrdinal: Piece
  toPath: Piece
  toLines: Piece
  artifact: Piece
  /** The document up to the ordinal in `event.original`, and where in it stands what is a record's own. */
  front: Buffer
  ids: readonly [number, number, number]
  seqs: readonly [number, number]
  times: readonly [number, number]
  digest: number
  /** What follows `event.original` up to the path, on to the check, to the ordinal, and to what is copied from behind the path. */
  toFile: Buffer
  toCheck: Buffer
  toOwn: Buffer
  toRest: Buffer
  /** Bytes of all of it. */
  length: number
}

/** What the documents of one request share. */
export interface DocumentFrame {
  /** `{"create":{"_index":...,"_id":"` */
  action: string
  /** `},"observer":...,"organization":...` */
  observer: string
  /** `,"proofline":{"render":...,"ledger":...,"block":` */
  proofline: string
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const escape = (text: string): string => text.replaceAll(/["\\]/g, '\\$&')

/** `text` is latin1. */
export function textOf(text: string): Text {
  const padded = bytesOf(`${text}   `)
  return { bytes: padded.subarray(0, text.length), view: viewOf(padded) }
}

export function pieceOf(text: string): Piece {
  return { plain: textOf(text), escaped: textOf(escape(text)) }
}

/** The members of a coverage record as it is written today (record/coverage.ts). */
const memberOrder =
  /^id seq recorded_at schema kind ledger run part ordinal repository commit (?:ref )?(?:build )?(?:build_seq )?suite test_type path (?:blob )?metric definition (?:tool )?lines (?:branches )?(?:functions )?(?:statements )?(?:regions )?(?:mcdc )?(?:calls )?artifact_sha256 (?:window )?ranges$/

/** The shape of this record; undefined when it has another form than today's. `members`: its own, as latin1. */
export function shapeOf(
  record: StoredRecord,
  members: ReadonlyMap<string, string>,
  frame: DocumentFrame,
): CoverageShape | undefined {
  if (!memberOrder.test([...members.keys()].join(' '))) return undefined
  const some = (...names: string[]): string =>
    names.map((name) => (members.has(name) ? `,"${name}":${members.get(name) ?? ''}` : '')).join('')
  const { id, seq } = record
  const block = Math.floor(seq / blockSize)
  const time = 31 + id.length + String(seq).length // {"id":"...","seq":...,"recorded_at":"
  const toOrdinal = pieceOf(`"${some('schema', 'kind', 'ledger', 'run', 'part')},"ordinal":`)

  let front = ''
  const add = (text: string, own: string): number => {
    front += text + own
    return front.length - own.length
  }
  const recordedAt = members.get('recorded_at')?.slice(1, -1) ?? ''
  const id1 = add(frame.action, id)
  const time1 = add('"}}\n{"@timestamp":"', recordedAt)
  const id2 = add(`"${eventHead('coverage', members)}`, id)
  const seq1 = add('","sequence":', String(seq))
  const digest = add(',"hash":"', '0'.repeat(64))
  const id3 = add('","original":"{\\"id\\":\\"', id)
  const seq2 = add('\\",\\"seq\\":', String(seq))
  const time2 = add(',\\"recorded_at\\":\\"', recordedAt)
  front += toOrdinal.escaped.bytes.toString('latin1')

  const shape = {
    idLength: id.length,
    block,
    seqLength: String(seq).length,
    below: 10 ** String(seq).length,
    time,
    toOrdinal,
    toPath: pieceOf(`${some('repository', 'commit', 'ref', 'build', 'build_seq', 'suite', 'test_type')},"path":"`),
    toLines: pieceOf(`${some('metric', 'definition', 'tool')},"lines":{"found":`),
    artifact: pieceOf(some('artifact_sha256')),
    front: bytesOf(front),
    ids: [id1, id2, id3],
    seqs: [seq1, seq2],
    times: [time1, time2],
    digest,
    toFile: bytesOf(`"${frame.observer},"file":{"path":"`),
    toCheck: bytesOf(`"}${vcsOf(members)}${relatedOf(members)}${frame.proofline}${block},"check":`),
    toOwn: bytesOf(`,"kind":"coverage"${some('test_type', 'run', 'part')},"ordinal":`),
    toRest: bytesOf(some('build', 'build_seq', 'suite', 'repository')),
  } as const
  const { toPath, toLines, artifact, toFile, toCheck, toOwn, toRest } = shape
  const texts = [
    shape.front,
    toPath.escaped.bytes,
    toLines.escaped.bytes,
    artifact.escaped.bytes,
    toFile,
    toCheck,
    toOwn,
    toRest,
  ]
  return { ...shape, length: texts.reduce((sum, { length }) => sum + length, 200) }
}
