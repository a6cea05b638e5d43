import { Problem } from '../record/problem.ts'
import { join } from './detect.ts'
import type { EndEvent, FileEvent, ProducerEvent } from './event.ts'
import { EventError, toEvent } from './event.ts'
import { hashText, mix } from './fingerprint.ts'
import { parseJson } from './json.ts'
import { createLineRun } from './line-run.ts'
import { createOpenedFiles } from './opened-files.ts'
import { toWrittenPath } from './paths.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'

/**
 * Coverage events: JSON lines of producers that have no report file. One `producer` event, `file` events in any order and as often as there is something to
 * say of a file, and one `end` event: without it a stream cannot be told from one that broke off.
 *
 * Unlike reports, which others' tools write, a stream with a mistake is refused as a whole, with every line that is wrong: its producer can be mended.
 */
export const eventsDefinition = 'events.line@1'

const maxLineBytes = 16 * 1024 * 1024
const LF = 0x0a
/** Mistakes that are told in the answer; the rest is counted. */
const shown = 10

/** Throws Problem('report_invalid', 'duplicate_key') and what `tally` throws. */
export async function readEvents(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const stream = createStream(tally, refused)
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      const part = chunk.subarray(from, at)
      stream.line(held.length === 0 ? part : join([...held, part]))
      held = []
      heldBytes = 0
      from = at + 1
    }
    if (from === chunk.length) continue
    heldBytes += chunk.length - from
    if (heldBytes > maxLineBytes) throw new Problem('report_invalid', `an event longer than ${maxLineBytes} bytes`)
    held.push(chunk.slice(from))
  }
  return stream.end(join(held))
}

function createStream(
  tally: Tally,
  refused: RefusedList,
): { line(bytes: Uint8Array): void; end(rest: Uint8Array): Reading } {
  const run = createLineRun(tally)
  const opened = createOpenedFiles(tally)
  let producer: ProducerEvent | undefined
  let end: EndEvent | undefined
  let [lineNumber, files, mistakes] = [0, 0, 0]
  const told: string[] = []

  function takeFile(event: FileEvent): void {
    if (!opened.open(event.path, () => toWrittenPath(event.path))) return
    for (const [ranges, executed] of [
      [event.covered, true],
      [event.partial, true],
      [event.missed, false],
    ] as const)
      for (let i = 0; i < ranges.length; i += 2) run.range(ranges[i] as number, ranges[i + 1] as number, executed) // pairs
    run.flush()
    // One way that was taken and one that was not, which the producer does not name.
    for (let i = 0; i < event.partial.length; i += 2)
      for (let line = event.partial[i] as number; line <= (event.partial[i + 1] as number); line += 1)
        tally.ways(line, 0, 3, 1)
    // Of JSON, so that all their keys are their own.
    for (const line in event.branches) {
      const counts = event.branches[line] ?? []
      for (let way = 0; way < counts.length; way += 1) tally.branch(Number(line), 0, way, (counts[way] ?? 0) > 0)
    }
    for (const name in event.functions) {
      const hash = hashText(name)
      tally.callable(hash, mix(hash, name.length, 0, 0), (event.functions[name] ?? 0) > 0 ? 1 : 0)
    }
  }

  function take(bytes: Uint8Array): void {
    const event = toEvent(parseJson(bytes, `line ${lineNumber}`))
    if (end !== undefined) throw new EventError('an event behind the end event')
    if (event.event === 'producer') {
      if (producer !== undefined) throw new EventError('a second producer event')
      producer = event
    } else if (producer === undefined) throw new EventError('the first event is not the producer event')
    else if (event.event === 'end') {
      end = event
      // When lines before it were wrong, so is their number.
      if (event.files !== files && mistakes === 0)
        throw new EventError(`"files" is ${event.files}, but ${files} file events came before`)
    } else {
      files += 1
      takeFile(event)
    }
  }

  function line(bytes: Uint8Array): void {
    lineNumber += 1
    if (bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)) return
    try {
      take(bytes)
    } catch (error) {
      const isTold =
        error instanceof EventError ||
        (error instanceof Problem && (error.code === 'report_invalid' || error.code === 'duplicate_key'))
      if (!isTold) throw error
      mistakes += 1
      if (told.length < shown) told.push(`line ${lineNumber}: ${error.message.replace(/: line \d+$/, '')}`)
      refuse(refused, `line ${lineNumber}`, error.message)
    }
  }

  return {
    line,
    end(rest) {
      if (rest.length > 0) line(rest)
      if (mistakes > 0) {
        const more = mistakes > told.length ? `; and ${mistakes - told.length} more` : ''
        throw new Problem(
          'report_invalid',
          `${mistakes} of ${lineNumber} lines are no coverage events: ${told.join('; ')}${more}`,
        )
      }
      if (producer === undefined) throw new Problem('report_empty', 'there is no coverage event')
      return {
        definition: `events.${producer.rule}`,
        tool: producer.tool,
        ...(end === undefined ? { incomplete: 'the end event is missing: the stream broke off' } : {}),
        testNames: [],
      }
    },
  }
}
