/**
 * The members of a record as raw JSON text, without parsing values: what Elastic gets is mostly the same text under other names. Takes
 * only what we wrote ourselves: one object, no white space, keys without escapes (record/record.ts).
 */
export function scanMembers(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let at = 1
  while (at < text.length && text.charCodeAt(at) === 0x22) {
    const keyEnd = text.indexOf('"', at + 1)
    const start = keyEnd + 2
    const end = valueEnd(text, start)
    members.set(text.slice(at + 1, keyEnd), text.slice(start, end))
    at = end + 1
  }
  return members
}

function stringEnd(text: string, start: number): number {
  let at = start
  for (;;) {
    at = text.indexOf('"', at + 1)
    if (at < 0) throw new Error('a string of the record does not end')
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return at + 1
  }
}

function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === 0x22) return stringEnd(text, start)
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === 0x22) at = stringEnd(text, at) - 1
    else if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (c === 0x2c && depth === 0) return at
  }
  throw new Error('a value of the record does not end')
}
