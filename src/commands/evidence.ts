import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { count } from './count.ts'

export interface EvidenceCommand {
  from: string
  to?: string
  repository?: string
  path?: string
  lines?: string
  commit?: string
  build?: string
  deployment?: string
  sample?: number
  seed?: string
  stratify?: string[]
  asOf?: string
  output: string
}

/** `proofline evidence`: fetches a pack. The file has its name only when it is whole. */
export async function evidence(options: EvidenceCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { from, to, asOf, output, repository, path, lines, commit, build, deployment, sample, seed, stratify } = options
  const question = { from: toInstant(from), to: to === undefined ? undefined : toInstant(to), repository, path, lines, commit, build, deployment, sample, seed, stratify, as_of: asOf } // oxfmt-ignore
  const client = await connect()
  const unfinished = `${output}.${process.pid}.part`
  try {
    const { body, headers } = await client.open({
      method: 'POST',
      path: '/v1/evidence',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(question)),
      signal,
      idleMs: 600_000, // a year of runs is read before its tables are written
    })
    let bytes = 0
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        terminal.progress(`${(bytes / 1e6).toFixed(1)} MB`)
        yield chunk
      }
    }
    // A crash before the rename leaves a file whose name says that it is not finished.
    await pipeline(counted(), createWriteStream(unfinished, { flush: true }))
    await rename(unfinished, output)
    const asked = String(headers['proofline-as-of'] ?? '')
    terminal.print(
      { schema: 'proofline.evidence-file.v1', file: output, bytes, as_of: asked },
      () => `${output}: ${count(bytes, 'byte')}, as of ${asked}\nverify it with: proofline verify ${output} --policy policy.txt\n`,
    )
    return 0
  } catch (error) {
    await rm(unfinished, { force: true })
    if (error instanceof Error && 'code' in error && /^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE)$/.test(String(error.code)))
      throw new Problem('unavailable', 'the pack ended early: the log of the service says why', { cause: error })
    throw error
  } finally {
    client.close()
  }
} // oxfmt-ignore

/** A day is its first moment, UTC. */
const toInstant = (text: string): string => (/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
