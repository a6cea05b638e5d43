/** Consecutive windows of a list, none of more than `room` bytes by `bytesOf`: at least one, and each holds an entry unless the list is empty. */
export function cutList<T>(entries: readonly T[], bytesOf: (entry: T) => number, room: number): T[][] {
  const windows: T[][] = []
  let window: T[] = []
  let used = 0
  for (const entry of entries) {
    const bytes = bytesOf(entry)
    if (used + bytes > room && window.length > 0) {
      windows.push(window)
      window = []
      used = 0
    }
    window.push(entry)
    used += bytes
  }
  windows.push(window)
  return windows
}
