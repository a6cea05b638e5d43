import { readFile, stat } from 'node:fs/promises'
import { Problem } from '../record/problem.ts'
import type { Answer } from './destination.ts'

/** A value that may change while the service runs, as a credential does that is rotated in its file. */
export interface Source<T> {
  /** The newest value; the same object as long as it has not changed. */
  read(): Promise<T>
  /** The next read looks at once: somebody refused what was read last. */
  expire(): void
}

export function fixed<T>(value: T): Source<T> {
  return { read: async () => value, expire() {} }
}

/** How long what was read is used without a look at the file. */
const freshMs = 1_000

/**
 * A file that a setting names, read again when time, size or inode have changed (a mounted secret is a link that is put over the old
 * one). Rejects at the start with Problem request_invalid and the name of the setting. Later a file that is away, half written or
 * refused by `parse` is one that is being replaced: what was read last holds.
 */
export async function openFile<T>(
  key: string,
  file: string,
  parse: (bytes: Buffer) => T,
  monotonicMs: () => number = () => performance.now(),
): Promise<Source<T>> {
  // The stamp is taken before the bytes: what is written between the two is seen at the next look.
  const stampOf = async (): Promise<string> => {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true })
    return `${mtimeNs} ${size} ${ino}`
  }
  let stamp = ''
  let value: T
  try {
    stamp = await stampOf()
    value = parse(await readFile(file))
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem('request_invalid', `${key}: ${file} cannot be read`, { cause })
  }
  let lookedMs = monotonicMs()
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    lookedMs = monotonicMs()
    try {
      const newer = await stampOf()
      if (newer === stamp) return
      value = parse(await readFile(file))
      stamp = newer
    } catch {
      // Being replaced: the next look is in a second.
    } finally {
      looking = undefined
    }
  }

  return {
    async read() {
      if (monotonicMs() - lookedMs >= freshMs) looking ??= look()
      await looking
      return value
    },
    expire() {
      lookedMs = -Infinity
    },
  }
}

/** What is made of several sources, anew when one of them has changed. What cannot be made of them leaves the last one standing. */
export async function derive<T, U>(
  sources: readonly Source<T>[],
  make: (values: readonly T[]) => U,
): Promise<Source<U>> {
  const readAll = (): Promise<T[]> => Promise.all(sources.map((source) => source.read()))
  let values = await readAll()
  let made = make(values)
  return {
    async read() {
      const newer = await readAll()
      if (newer.every((value, i) => value === values[i])) return made
      values = newer
      try {
        made = make(newer)
      } catch {
        // A certificate without its key: the other file is still to come, and changes the values again.
      }
      return made
    },
    expire() {
      for (const source of sources) source.expire()
    },
  }
}

/**
 * Sends with a credential as it is now. One that is refused (401, 403) is read again at once, and where it has changed the request goes
 * once more: only for what may be sent twice, a question or `create` with an id.
 */
export async function sendWith<T>(credential: Source<T>, send: (value: T) => Promise<Answer>): Promise<Answer> {
  const value = await credential.read()
  const answer = await send(value)
  if (answer.kind !== 'answer' || (answer.status !== 401 && answer.status !== 403)) return answer
  credential.expire()
  const newer = await credential.read()
  return newer === value ? answer : send(newer)
}
