import { Problem } from '../record/problem.ts'
import type { Sample } from './detect.ts'
import { formatNames, formats } from './formats.ts'
import { refuseWithoutLines } from './no-lines.ts'
import { looksLikeXml } from './xml-sample.ts'

/**
 * The format of a report: the one that was named, else the only one that its first bytes show. Throws Problem('report_empty', 'report_unrecognized',
 * 'report_ambiguous', 'no_lines').
 */
export function chooseFormat(sample: Sample, name: string | undefined): (typeof formats)[number] {
  if (sample.isAll && sample.text.trim() === '') throw new Problem('report_empty', 'the report has no content')
  if (name !== undefined) {
    const named = formats.find((format) => format.name === name)
    if (named === undefined)
      throw new Problem(
        'report_unrecognized',
        `no format is called ${JSON.stringify(name)}; known: ${formatNames.join(', ')}`,
      )
    return named
  }
  refuseWithoutLines(sample)
  const [first, second] = formats.filter((format) => format.detect(sample))
  if (first === undefined) {
    // A page of HTML, as proxies send, breaks the rules of XML and is something else all the same.
    const { root, problem } = sample.xml ?? {}
    if (root === undefined && problem !== undefined && !/^\s*<(?:!doctype\s+)?html\b/i.test(sample.text)) throw problem
    throw new Problem('report_unrecognized', `${looksLike(sample)}; known: ${formatNames.join(', ')}`)
  }
  if (second !== undefined) throw new Problem('report_ambiguous', `it could be ${first.name} or ${second.name}`)
  return first
}

function looksLike({ bytes, text, keys, xml }: Sample): string {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'the report is gzip inside: send it with Content-Encoding: gzip'
  if (text.startsWith('PK\u0003\u0004')) return 'the report is a zip archive'
  if (keys !== undefined)
    return `a JSON object with ${[...keys[0]]
      .slice(0, 5)
      .map((key) => JSON.stringify(key.slice(0, 40)))
      .join(', ')}`
  return xml === undefined ? 'the report does not look like any known format' : looksLikeXml(xml)
}
