import { Problem } from '../record/problem.ts'
import { createXmlScanner } from './xml-scanner.ts'
import { decoderOf } from './xml.ts'

/** What the first bytes of an XML document show: XML formats are told apart by their elements, for five of them have the root `coverage` or `report`. */
export interface XmlSample {
  /** Undefined when none was whole. */
  root: string | undefined
  /** Names of the root's attributes. */
  attributes: ReadonlySet<string>
  /** Elements directly below the root, and below those. */
  second: ReadonlySet<string>
  third: ReadonlySet<string>
  /** Why it cannot be read, when that shows already. */
  problem: Problem | undefined
}

/** All formats have shown themselves by then; a head of 64 KiB would otherwise be read twice. */
const enoughTags = 100
const step = 4_096

export function sampleXml(head: Uint8Array): XmlSample {
  const [second, third] = [new Set<string>(), new Set<string>()]
  let root: string | undefined
  let attributes = new Set<string>()
  let problem: Problem | undefined
  let tags = 0
  const scanner = createXmlScanner({
    open(tag) {
      tags += 1
      if (tag.depth === 1) {
        root = tag.name
        attributes = new Set(tag.attributes())
      } else if (tag.depth < 4) (tag.depth === 2 ? second : third).add(tag.name)
    },
  })
  try {
    const decoder = decoderOf(head)
    const bytes = decoder === undefined ? head : new TextEncoder().encode(decoder.decode(head, { stream: true }))
    for (let [from, to] = [0, 0]; to < bytes.length && tags < enoughTags;) {
      to = Math.min(bytes.length, to + step)
      from += scanner.take(bytes.subarray(from, to))
    }
  } catch (error) {
    if (error instanceof Problem) problem = error
    else if (!(error instanceof TypeError)) throw error // what the decoder throws: the reader will say it
  }
  return { root, attributes, second, third, problem }
}

/** Reports that are no coverage of lines that is read here, by root and what else shows them. */
const others: [what: string, is: (xml: XmlSample) => boolean][] = [
  ["SonarQube's generic coverage", ({ root, second }) => root === 'coverage' && second.has('file')],
  ['line coverage of PIT (linecoverage.xml)', ({ root, second }) => root === 'coverage' && second.has('block')],
  ['a report of dotCover', ({ root, attributes }) => root === 'Root' && attributes.has('DotCoverVersion')],
  ['a report of TRACE32', ({ root }) => root === 'TRACE32'],
  ['coverage of Visual Studio', ({ root }) => root === 'CoverageDSPriv' || root === 'results'],
  ['test results of JUnit, not coverage', ({ root }) => root === 'testsuite' || root === 'testsuites'],
]

export function looksLikeXml(xml: XmlSample): string {
  if (xml.root === undefined || xml.root.toLowerCase() === 'html') return 'it looks like a page of HTML'
  const known = others.find(([, is]) => is(xml))?.[0]
  const root = `an XML document with the root <${xml.root.slice(0, 40)}>`
  return known === undefined ? root : `it looks like ${known}, which is not supported`
}
