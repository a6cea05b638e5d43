import { Readable } from 'node:stream'
import type { Objects } from '../../src/objects/objects.ts'

/** Objects in memory, for tests that would spend their time in fsync. */
export function createMemoryObjects(): Objects & { keys(): string[] } {
  const stored = new Map<string, Buffer>()
  const gather = async (bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of bytes) chunks.push(Uint8Array.from(chunk))
    return Buffer.concat(chunks)
  }
  const put: Objects['put'] = async (key, bytes) => {
    const whole = await gather(bytes)
    if (stored.has(key)) return 'existed'
    stored.set(key, whole)
    return 'stored'
  }
  return {
    put,
    async create() {
      const chunks: Uint8Array[] = []
      return {
        write: async (chunk) => void chunks.push(Uint8Array.from(chunk)),
        commit: (key) => put(key, chunks),
        abort: async () => {},
      }
    },
    async open(key, range) {
      const found = stored.get(key)
      return found === undefined ? undefined : Readable.from([found.subarray(range?.from, range?.to)])
    },
    has: async (key) => stored.has(key),
    remove: async (key) => (stored.delete(key) ? 'removed' : 'absent'),
    prove: async () => {},
    close: async () => {},
    keys: () => [...stored.keys()],
  }
}
