import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CoverageEvent } from '../../src/formats/event.ts'
import { toEvent } from '../../src/formats/event.ts'
import { parseJson } from '../../src/formats/json.ts'
import { readPlainFile } from '../../src/formats/plain-event.ts'

const encoder = new TextEncoder()
const readPlain = (text: string): CoverageEvent | undefined => {
  const bytes = encoder.encode(`\n${text}\n`)
  const event = readPlainFile(bytes, 1, bytes.length - 1)
  return event && inOrder(event)
}
const readStrictly = (text: string): CoverageEvent => inOrder(toEvent(parseJson(encoder.encode(text), 'a line')))
/** JavaScript puts names that are numbers first; functions have no order. */
function inOrder(event: CoverageEvent): CoverageEvent {
  return event.event === 'file' ? { ...event, functions: event.functions.toSorted((a, b) => a - b) } : event
}

const everything = {
  event: 'file',
  path: 'src/refund.c',
  covered: '1-5,6,9,12-14',
  partial: '11',
  missed: '7-8,2147483647',
  branches: { 5: [3, 0], 9: [0], 70: Array.from({ length: 70 }, (_, way) => way % 3) },
  functions: { refund: 3, void_it: 0, '': 1, __proto: 2 },
}
/** As JSON.stringify prints it, as Python's json.dumps does, and in another order. */
const compact = JSON.stringify(everything)
const spaced = JSON.stringify(everything, undefined, 1).replaceAll(/,\n */g, ', ').replaceAll(/\n */g, '')
const reversed = JSON.stringify(Object.fromEntries(Object.entries(everything).toReversed()))

describe('readPlainFile', () => {
  it.each([
    ['as JavaScript prints it', compact],
    ['as Python prints it', spaced],
    ['in another order', reversed],
    ['with a carriage return', `${compact}\r`],
    ['with empty members', '{"event":"file","path":"a","covered":"","branches":{},"functions":{}}'],
    ['with a path alone', '{"event":"file","path":"a"}'],
  ])('reads an event %s', (_, text) => {
    expect(readPlain(text)).toBeDefined()
    expect(readPlain(text)).toEqual(readStrictly(text))
  })

  it.each([
    ['{"event":"end","files":0}'],
    ['{"event":"file","path":""}'],
    ['{"event":"file","path":"a","path":"b"}'],
    ['{"event":"file","path":"a\\n"}'],
    ['{"event":"file","path":"é"}'],
    ['{"event":"file","path":"a","covered":"3-2"}'],
    ['{"event":"file","path":"a","covered":"1","missed":"1"}'],
    ['{"event":"file","path":"a","branches":{"1":[1],"1":[0]}}'],
    ['{"event":"file","path":"a","functions":{"f":1,"f":0}}'],
    ['{"event":"file","path":"a"} x'],
    ['{"event":"file","path":"a"'],
    ['{"event":"file"}'],
    ['[]'],
    [''],
  ])('leaves %s to the strict reader', (text) => {
    expect(readPlain(text)).toBeUndefined()
  })

  it('never reads what the strict reader refuses, nor anything else than it', () => {
    const piece = fc.constantFrom(...Array.from('{}[]:,"- 0123456789\\\r\t.eEné'), '1-5', '01', '-1', '2147483648', '1e3', ',"missed":"9"', '"9":[1]', '"f":1', 'null', '99999999999999999') // oxfmt-ignore
    const edit = fc.record({ at: fc.nat(compact.length), cut: fc.nat(3), piece })
    let read = 0
    fc.assert(
      fc.property(fc.constantFrom(compact, spaced, reversed), fc.array(edit, { maxLength: 3 }), (text, edits) => {
        const changed = edits.reduce((all, { at, cut, piece }) => all.slice(0, at) + piece + all.slice(at + cut), text)
        const plain = readPlain(changed)
        if (plain === undefined) return
        read += 1
        expect(plain).toEqual(readStrictly(changed))
      }),
      { numRuns: 3_000 },
    )
    expect(read).toBeGreaterThan(300)
  })
})
