/**
 * The functions of a file. Only how many there are and how many were called is told, so a function is an integer made from whatever names it, with
 * its lowest bit set when it was called: 52 bits of a name, which two of 100,000 functions share in one of a million files. Names come in no order;
 * sorting such numbers takes a third of the time of sorting rows with longer keys.
 */
export interface FunctionSet {
  items: Float64Array
  length: number
  /** Where the function is that is likely to be named next. */
  next: number
}

const firstLength = 64
/** Kept for the next section; what one huge file needed is given back. */
const keptLength = 1 << 16

// Indexes are below `length`: hence `as number`.

export function createFunctionSet(): FunctionSet {
  return { items: new Float64Array(firstLength), length: 0, next: 0 }
}

export function clearFunctions(set: FunctionSet): void {
  set.length = 0
  set.next = 0
  if (set.items.length > keptLength) set.items = new Float64Array(firstLength)
}

/** The name of a function, from any two 32-bit integers. */
export const toFunctionName = (a: number, b: number): number => (a >>> 0) * 0x10_0000 + (b & 0xf_ffff)

/**
 * `called` is 1 or 0. Reports name all functions of a file and then their counts in the same order (FN ..., FNDA ...): the second time it is found
 * where the first time put it.
 */
export function addFunction(set: FunctionSet, name: number, called: number): void {
  const item = 2 * name
  const next = set.next < set.length ? (set.items[set.next] as number) : -1
  if (next === item || next === item + 1) {
    if (called !== 0) set.items[set.next] = item + 1
    set.next += 1
    return
  }
  if (set.length === set.items.length) makeRoom(set)
  set.items[set.length] = item + called
  set.length += 1
}

/** So that a section which says the same thing for ever does not grow. */
function makeRoom(set: FunctionSet): void {
  sortFunctions(set)
  if (2 * set.length < set.items.length) return
  const items = new Float64Array(2 * set.items.length)
  items.set(set.items)
  set.items = items
}

/** Afterwards they ascend, each once. */
export function sortFunctions(set: FunctionSet): void {
  const { items, length } = set
  if (length < 2) return
  items.subarray(0, length).sort()
  let at = 0
  for (let i = 1; i < length; i += 1) {
    const item = items[i] as number
    if (Math.floor((items[at] as number) / 2) !== Math.floor(item / 2)) at += 1
    items[at] = item
  }
  set.length = at + 1
}

/** Once sorted. */
export function countFunctions({ items, length }: FunctionSet): { found: number; called: number } {
  let called = 0
  for (let i = 0; i < length; i += 1) {
    const item = items[i] as number
    called += item - 2 * Math.floor(item / 2)
  }
  return { found: length, called }
}
