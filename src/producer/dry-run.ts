import { describeRefusal, describeReport, type Description } from '../formats/describe.ts'
import { openReport, type ReportOptions } from '../formats/format.ts'
import { Problem } from '../record/problem.ts'
import { readDecoded } from './artifact.ts'

/** What the service would make of a report, found out here with the same reader. */
export async function describeFile(
  file: string,
  options: Pick<ReportOptions, 'format' | 'section' | 'strip' | 'root'>,
): Promise<Description> {
  try {
    return describeReport(await openReport(decoded(file), options))
  } catch (error) {
    return describeRefusal(error)
  }
}

/** Streams the report; what is wrong with its compression is the same refusal that the service would give. */
async function* decoded(file: string): AsyncGenerator<Uint8Array> {
  const { encoding, chunks } = await readDecoded(file)
  try {
    yield* chunks
  } catch (cause) {
    if (encoding === 'identity') throw cause
    throw new Problem('encoding_invalid', `${encoding}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}
