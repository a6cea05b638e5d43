import { type PackedSegment, maxSegmentBytes, maxSegmentRecords, packSegment } from '../ledger/segments.ts'
import type { RecordKind } from '../record/record.ts'
import type { Link, WorkerBox } from './messages.ts'

/** Segments of one slice. */
const sliceSegments = 4

/** Segments in slices, made while earlier ones are being recorded: two are under way at most. */
export async function sendSlices(box: WorkerBox, kind: RecordKind, payloads: Iterable<Uint8Array>): Promise<void> {
  let group: Uint8Array[] = []
  let bytes = 0
  let slice: PackedSegment[] = []
  let number = 0
  let credits = 2

  /** The next message but credits, which are counted; undefined when a credit is all that is waited for. */
  const receive = async (): Promise<Link | undefined> => {
    const message = await box.next()
    if (message.type === 'link') return message.link
    if (message.type !== 'next') throw new Error(`the other side said ${message.type}`)
    credits++
    return undefined
  }
  const pack = async (): Promise<void> => {
    box.send({ type: 'link', number: number++ })
    let link = await receive()
    while (link === undefined) link = await receive()
    slice.push(packSegment(kind, group, link))
    group = []
    bytes = 0
  }
  const ship = async (): Promise<void> => {
    while (credits === 0) await receive()
    credits--
    box.send({ type: 'slice', segments: slice })
    slice = []
  }
  for (const payload of payloads) {
    if (group.length === maxSegmentRecords || bytes + payload.length + 1 > maxSegmentBytes) {
      await pack()
      if (slice.length === sliceSegments) await ship()
    }
    group.push(payload)
    bytes += payload.length + 1
  }
  if (group.length > 0) await pack()
  if (slice.length > 0) await ship()
}
