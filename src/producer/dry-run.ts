import { describeRefusal, describeReport, type Description } from '../formats/describe.ts'
import { formatNames } from '../formats/formats.ts'
import { openReport, type ReportOptions } from '../formats/format.ts'
import { Problem } from '../record/problem.ts'
import { readDecoded } from './artifact.ts'
import type { Plan } from './upload.ts'

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

/**
 * Throws `request_invalid` for a format that is none, before anything is sent: the service would put a rejection on record and leave the
 * run open.
 */
export function assertFormat(name: string): void {
  if (!formatNames.some((known) => known === name))
    throw new Problem(
      'request_invalid',
      `--format: no format is called ${JSON.stringify(name)}; known: ${formatNames.join(', ')}`,
    )
}

/**
 * Throws the Problem that the service would refuse one of the reports with: what is kept for later must not be what nobody can put right
 * then. Whether paths are taken is left to the service, which has the files of the commit.
 */
export async function assertReadable({ parts }: Plan): Promise<void> {
  for (const { artifact, query } of parts) {
    try {
      await openReport(decoded(artifact.file), query)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      if (error.code === 'path_invalid') continue
      throw new Problem(
        error.code,
        `${artifact.file}: ${error.message}. It is not spooled: it would be refused later`,
        {
          cause: error,
          extra: error.extra,
        },
      )
    }
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
