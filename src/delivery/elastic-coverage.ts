/**
 * The part of an Elastic document that comes from a coverage record, for the records that are nearly all there are. The keys of a
 * coverage record stand in a fixed order (record/coverage.ts), and `,"key":` cannot occur inside a JSON string, whose quotes are escaped:
 * so a few searches forward find what is copied, at a third of the cost of parsing. `text` is the record as latin1, one character a byte.
 */

export interface CoverageTexts {
  /** `,"file":{...},"vcs":{...},"related":{...}` */
  ecs: string
  /** `,"test_type":...` and all that stands under `proofline`. */
  own: string
}

/** Undefined when the record has another form than today's coverage records: then it is taken apart member by member. */
export function coverageTexts(text: string): CoverageTexts | undefined {
  const run = text.indexOf(',"run":')
  const repository = text.indexOf(',"repository":', run)
  const commit = text.indexOf(',"commit":', repository)
  const testType = text.indexOf(',"test_type":', commit)
  const path = text.indexOf(',"path":', testType)
  const metric = text.indexOf(',"metric":', path)
  const lines = text.indexOf(',"lines":{', metric)
  const ranges = text.indexOf(',"ranges":{', lines)
  if (run < 0 || repository < 0 || commit < 0 || testType < 0 || path < 0 || metric < 0 || lines < 0 || ranges < 0)
    return undefined

  const commitEnd = stringEnd(text, commit + 10)
  const ref = text.startsWith(',"ref":"', commitEnd)
  const refEnd = ref ? stringEnd(text, commitEnd + 7) : commitEnd
  const pathEnd = stringEnd(text, path + 8)
  const linesEnd = text.indexOf('}', lines)
  const counts = /^\{"found":\d+,"covered":(\d+),"partial":(\d+),"missed":\d+$/.exec(text.slice(lines + 9, linesEnd))
  if (counts === null) return undefined
  const executed = Number(counts[1]) + Number(counts[2])
  const artifact = text.indexOf(',"artifact_sha256":"', linesEnd)

  const commitText = text.slice(commit + 10, commitEnd)
  const name = ref ? `"name":${text.slice(commitEnd + 7, refEnd)},` : ''
  const hash = artifact < 0 ? '' : `,${text.slice(artifact + 19, artifact + 85)}`
  const ecs =
    `,"file":{"path":${text.slice(path + 8, pathEnd)}},"vcs":{"repository":{"url":{"full":"https://${text.slice(repository + 15, commit)}}},` +
    `"ref":{"head":{${name}"revision":${commitText}}}},"related":{"hash":[${commitText}${hash}]}`
  const own =
    `${text.slice(testType, path)}${text.slice(run, repository)}${text.slice(refEnd, testType)}${text.slice(repository, commit)}` +
    `${text.slice(pathEnd, linesEnd)},"executed":${executed}${text.slice(linesEnd, ranges)}` +
    `${lineRanges('missed_lines', text, text.indexOf('"missed":"', ranges), 10)}${lineRanges('partial_lines', text, text.indexOf('"partial":"', ranges), 11)}`
  return { ecs, own }
}

/** The end of the string that begins at `start`, behind its closing quote. */
function stringEnd(text: string, start: number): number {
  let at = start
  for (;;) {
    at = text.indexOf('"', at + 1)
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return at + 1
  }
}

/** `"6-8,18"` as integer_range values: a term query for one line then finds the record. `at`: where the member begins, -1 for none. */
export function lineRanges(name: string, text: string, at: number, keyLength: number): string {
  if (at < 0) return ''
  const end = text.indexOf('"', at + keyLength)
  let from = at + keyLength
  if (end <= from) return ''
  let out = `,"${name}":[`
  for (;;) {
    let comma = text.indexOf(',', from)
    if (comma < 0 || comma > end) comma = end
    const dash = text.indexOf('-', from)
    const first = text.slice(from, dash >= 0 && dash < comma ? dash : comma)
    const last = dash >= 0 && dash < comma ? text.slice(dash + 1, comma) : first
    out += `{"gte":${first},"lte":${last}}`
    if (comma === end) return `${out}]`
    out += ','
    from = comma + 1
  }
}
