/**
 * What never changes and takes long to read, kept by key: what was asked for last, up to so many bytes together and the newest whatever it takes.
 * Whoever asks for what is being read waits for the same; what could not be read is read again.
 */
export type Kept<T> = (key: string, read: () => Promise<T>, bytesOf: (value: T) => number) => Promise<T>

export function createKept<T>(maxBytes: number): Kept<T> {
  const kept = new Map<string, { value: Promise<T>; bytes: number }>()
  let bytes = 0
  return (key, read, bytesOf) => {
    const known = kept.get(key)
    const entry = known ?? { value: read(), bytes: 0 }
    kept.delete(key)
    kept.set(key, entry)
    if (known !== undefined) return known.value
    entry.value.then(
      (value) => {
        if (kept.get(key) !== entry) return // it gave way while it was read
        entry.bytes = bytesOf(value)
        bytes += entry.bytes
        for (const [oldest, { bytes: own }] of kept) {
          if (bytes <= maxBytes || kept.size === 1) break
          kept.delete(oldest)
          bytes -= own
        }
      },
      () => kept.get(key) === entry && kept.delete(key),
    )
    return entry.value
  }
}
