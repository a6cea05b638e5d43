import { Problem } from '../record/problem.ts'

/**
 * Where `<!DOCTYPE report PUBLIC "..." "report.dtd">` ends, or -1 when its end is not there yet. Its address means nothing here. Declarations of its own
 * could define anything, so a document that has some is not read; empty brackets have none (Pester writes them).
 */
export function endOfDoctype(bytes: Uint8Array, from: number, end: number): number {
  let quote = ''
  let isInBrackets = false
  for (let p = from; p < end; p += 1) {
    const c = String.fromCharCode(bytes[p] ?? 0)
    if (quote !== '') quote = c === quote ? '' : quote
    else if (isInBrackets && c === ']') isInBrackets = false
    else if (c === '<' || (isInBrackets && !/\s/.test(c)))
      throw new Problem(
        'report_invalid',
        'the XML declares a document type of its own (DTD): such reports are not read',
      )
    else if (c === '[') isInBrackets = true
    else if (c === '"' || c === "'") quote = c
    else if (c === '>') return p + 1
  }
  return -1
}
