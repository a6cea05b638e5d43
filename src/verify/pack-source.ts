/** The files of a pack as somebody hands them over: a zip that was opened safely, a folder, or a test. */
export interface PackSource {
  names: readonly string[]
  /** Throws for a name that is not there. */
  open(name: string): AsyncIterable<Uint8Array>
  /** Streamed: a file may be larger than memory. */
  digest(name: string): Promise<{ bytes: number; sha256: string }>
}

export interface PackCheck {
  check: string
  /** `incomplete`: it could not be found out, for want of a key or a file that the pack says it lacks. */
  verdict: 'ok' | 'differs' | 'incomplete'
  detail: string
  seq?: number
}

/** Thrown within a check for what cannot be found out. */
export class CannotCheck extends Error {
  override readonly name = 'CannotCheck'
}

/** What is wrong at a seq. */
export class PackFault extends Error {
  override readonly name = 'PackFault'
  readonly seq: number

  constructor(message: string, seq: number) {
    super(message)
    this.seq = seq
  }
}

/** Hostile bytes make parsers throw all kinds of errors: each of them is a check that failed. */
export async function attempt(check: string, run: () => Promise<string>): Promise<PackCheck> {
  try {
    return { check, verdict: 'ok', detail: await run() }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    if (error instanceof CannotCheck) return { check, verdict: 'incomplete', detail }
    return { check, verdict: 'differs', detail, ...(error instanceof PackFault ? { seq: error.seq } : {}) }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** What is read whole: notes, proofs, manifest, tables of a year. */
const maxWholeBytes = 256 * 1_048_576
/** A record has at most 4,900 bytes; a gap's hashes need more. */
const maxLineBytes = 65_536

export async function readBytes(source: PackSource, name: string): Promise<Uint8Array> {
  if (!source.names.includes(name)) throw new Error(`${name} is missing`)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of source.open(name)) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxWholeBytes) throw new Error(`${name} is longer than ${maxWholeBytes} bytes`)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

export const readText = async (source: PackSource, name: string): Promise<string> =>
  decoder.decode(await readBytes(source, name))

/** Lines without their newline, which the last one has too. */
export async function* readLines(source: PackSource, name: string): AsyncGenerator<Uint8Array> {
  if (!source.names.includes(name)) throw new Error(`${name} is missing`)
  let rest = new Uint8Array(0)
  for await (const chunk of source.open(name)) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield join(rest, chunk.subarray(from, end))
      rest = new Uint8Array(0)
      from = end + 1
    }
    rest = join(rest, chunk.subarray(from))
    if (rest.length > maxLineBytes) throw new Error(`${name} has a line longer than ${maxLineBytes} bytes`)
  }
  if (rest.length > 0) throw new Error(`the last line of ${name} does not end`)
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}
