const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const predefined = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
])
const references = /&(?:#x([0-9A-Fa-f]{1,8})|#([0-9]{1,10})|([A-Za-z]{1,8}));|&/g
/** Longer than any reference that is allowed. */
const maxReference = 12

/**
 * `bytes[from, to)` as text; undefined when they are not UTF-8 or refer to what is not there. `isRich` when they may hold references or
 * more than ASCII. White space in the value of an attribute becomes blanks, as XML has it.
 */
export function decodeText(
  bytes: Uint8Array,
  from: number,
  to: number,
  isRich: boolean,
  isValue: boolean,
): string | undefined {
  const short = isRich || to - from > maxShort ? undefined : decodeShort(bytes, from, to)
  if (short !== undefined) return short
  let text: string
  try {
    text = utf8.decode(bytes.subarray(from, to))
  } catch {
    return undefined
  }
  if (isValue) text = /[\t\n\r]/.test(text) ? text.replaceAll(/\r\n|[\t\n\r]/g, ' ') : text
  if (!isRich || !text.includes('&')) return text
  let isBroken = false
  const resolved = text.replaceAll(references, (_, hex?: string, decimal?: string, name?: string) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    const character = name === undefined ? toCharacter(code) : predefined.get(name)
    if (character === undefined) isBroken = true
    return character ?? ''
  })
  return isBroken ? undefined : resolved
}

/** Up to here character by character takes a quarter of the time of a decoder, which is made for long texts. */
const maxShort = 24

/** ASCII; undefined when there is white space in it that may have to change. */
function decodeShort(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = ''
  for (let p = from; p < to; p += 1) {
    const c = bytes[p] ?? 0
    if (c < 0x20 || c > 0x7e) return undefined
    text += String.fromCharCode(c)
  }
  return text
}

/** What XML allows as a character. */
function toCharacter(code: number): string | undefined {
  const isCharacter =
    (code >= 0x20 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x1_0000 && code <= 0x10_ffff)
  return isCharacter || code === 0x09 || code === 0x0a || code === 0x0d ? String.fromCodePoint(code) : undefined
}

/** How many bytes before `to` are a reference or a character whose end is not there. */
export function isReferenceOpen(bytes: Uint8Array, from: number, to: number): number {
  for (let p = to - 1; p >= from && p > to - maxReference; p -= 1) {
    if (bytes[p] === 0x3b) break
    if (bytes[p] === 0x26) return to - p
  }
  for (let p = to - 1; p >= from && p > to - 4; p -= 1) {
    const byte = bytes[p] ?? 0
    if (byte < 0x80) return 0
    // A first byte: the character is whole or not, it may as well wait.
    if (byte >= 0xc0) return to - p
  }
  return 0
}
