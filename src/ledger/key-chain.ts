/** The steps of a plan of keys as records tell them: pure. */

/** The members of a `key` record that say so. */
export interface RecordedKey {
  origin: string
  guard: string
  /** The newest key as of this record. */
  vkey: string
  /** With `from`: a key that followed this one. */
  replaces?: string
  from?: number
  /** With `until`: a key that signs no more from there on. */
  retires?: string
  until?: number
}

export interface PlannedKey {
  vkey: string
  from: number | undefined
  until: number | undefined
}

/** The plan that the records lead to, in their order. */
export function planOf(records: readonly RecordedKey[]): PlannedKey[] {
  const plan: PlannedKey[] = []
  for (const { vkey, replaces, from, retires, until } of records) {
    const retired = plan.find((key) => key.vkey === retires)
    if (retired !== undefined) retired.until = until
    else if (plan.every((key) => key.vkey !== vkey))
      plan.push({ vkey, from: replaces === undefined ? undefined : from, until: undefined })
  }
  return plan
}
