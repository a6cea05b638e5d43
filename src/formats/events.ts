import { maxPathBytes } from '../record/coverage.ts'
import { Problem } from '../record/problem.ts'
import { join } from './detect.ts'
import type { EndEvent, FileEvent, ProducerEvent } from './event.ts'
import { EventError, toEvent } from './event.ts'
import { parseJson } from './json.ts'
import { createLineRun } from './line-run.ts'
import { createPathIndex } from './path-index.ts'
import { decodePath } from './paths.ts'
import { readPlainFile } from './plain-event.ts'
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
      if (held.length === 0) stream.line(chunk, from, at)
      else {
        const whole = join([...held, chunk.subarray(from, at)])
        held = []
        heldBytes = 0
        stream.line(whole, 0, whole.length)
      }
      from = at + 1
    }
    if (from === chunk.length) continue
    heldBytes += chunk.length - from
    if (heldBytes > maxLineBytes) throw new Problem('report_invalid', `an event longer than ${maxLineBytes} bytes`)
    held.push(chunk.slice(from))
  }
  return stream.end(join(held))
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from
  while (at < to && (bytes[at] === 0x20 || bytes[at] === 0x0d || bytes[at] === 0x09)) at += 1
  return at === to
}

function createStream(
  tally: Tally,
  refused: RefusedList,
): { line(bytes: Uint8Array, from: number, to: number): void; end(rest: Uint8Array): Reading } {
  const run = createLineRun(tally)
  const paths = createPathIndex()
  /** By the number of its path: the file, or -1 when the path is refused. */
  const fileOf: number[] = []
  let producer: ProducerEvent | undefined
  let end: EndEvent | undefined
  let [lineNumber, files, mistakes] = [0, 0, 0]
  const told: string[] = []

  function open(path: Uint8Array): boolean {
    const number = paths.find(path, 0, path.length)
    const file = number < 0 ? add(path) : (fileOf[number] as number) // one for each number
    if (number >= 0 && file >= 0) tally.open(file)
    return file >= 0
  }

  function add(path: Uint8Array): number {
    const file = tally.add(decodePath(path))
    // What is longer is no path but a source (data:). Should it come again, it is joined with its like at the end.
    if (path.length <= maxPathBytes) {
      paths.add(path, 0, path.length)
      fileOf.push(file)
    }
    return file
  }

  function takeRanges(ranges: readonly number[], executed: boolean): void {
    for (let i = 0; i < ranges.length; i += 2) run.range(ranges[i] as number, ranges[i + 1] as number, executed) // pairs
  }

  function takeFile(event: FileEvent): void {
    if (!open(event.path)) return
    takeRanges(event.covered, true)
    takeRanges(event.partial, true)
    takeRanges(event.missed, false)
    run.flush()
    // One way that was taken and one that was not, which the producer does not name.
    for (let i = 0; i < event.partial.length; i += 2) {
      const [from, to] = [event.partial[i] as number, event.partial[i + 1] as number]
      tally.spend(to - from)
      for (let line = from; line <= to; line += 1) tally.ways(line, 0, 3, 1)
    }
    // Four integers each, and three.
    const { branches, functions } = event
    for (let i = 0; i < branches.length; i += 4)
      tally.branches(branches[i] as number, 0, branches[i + 1] as number, branches[i + 2] as number, branches[i + 3] as number) // oxfmt-ignore
    for (let i = 0; i < functions.length; i += 3)
      tally.callable(functions[i] as number, functions[i + 1] as number, functions[i + 2] as number)
  }

  function take(bytes: Uint8Array, from: number, to: number): void {
    const event = readPlainFile(bytes, from, to) ?? toEvent(parseJson(bytes.subarray(from, to), `line ${lineNumber}`))
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

  function line(bytes: Uint8Array, from: number, to: number): void {
    lineNumber += 1
    if (isBlank(bytes, from, to)) return
    try {
      take(bytes, from, to)
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
      if (rest.length > 0) line(rest, 0, rest.length)
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
