/** Values that are dear to make, the newest asked for kept; one that is being made is made once. What failed is made again. */
export interface Recent<T> {
  get(key: string, make: () => Promise<T>): Promise<T>
}

export function createRecent<T>(max: number): Recent<T> {
  const kept = new Map<string, Promise<T>>()
  return {
    get(key, make) {
      const made = kept.get(key) ?? make()
      kept.delete(key)
      kept.set(key, made)
      made.catch(() => kept.delete(key))
      if (kept.size > max) kept.delete(kept.keys().next().value ?? key)
      return made
    },
  }
}
