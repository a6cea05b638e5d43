import { relative } from 'node:path'
import { filesAnswer, linesAnswer } from '../api/history.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import { findPlace } from './contract-place.ts'
import { printFileHistory, printLineHistory } from './print-history.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface HistoryCommand {
  repository?: string
  ref?: string
  testType?: string
  from?: string
  to?: string
  at?: string
  asOf?: string
}

/** `proofline history FILE[:12-20]`. A path is one of the repository; in a checkout one from where the user stands is understood too. */
export async function history(
  file: string,
  { repository: named, ref, testType, from, to, at, asOf }: HistoryCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const [, name = file, line] = /^(.+?):(\d+(?:-\d+)?)$/.exec(file) ?? []
  const { repository, path } = await findFile(name, named)
  const query = { repository, path, ref, test_type: testType, from, to, at, as_of: asOf }
  const client = await connect()
  try {
    const address = line === undefined ? '/v1/history/files' : '/v1/history/lines'
    const { bytes } = await client.send({ method: 'GET', path: withQuery(address, { ...query, line }), signal })
    const answer: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (line === undefined) {
      const told = filesAnswer.parse(answer)
      terminal.print(told, () => printFileHistory(told))
    } else {
      const told = linesAnswer.parse(answer)
      terminal.print(told, () => printLineHistory(told))
    }
    return 0
  } finally {
    client.close()
  }
}

async function findFile(name: string, repository: string | undefined): Promise<{ repository: string; path: string }> {
  if (repository !== undefined) return { repository, path: name }
  const place = await findPlace(undefined, {})
  const folder = place.checkout?.folder
  if (folder === undefined) return { repository: place.repository, path: name }
  const path = relative(folder, name).replaceAll('\\', '/')
  if (path.startsWith('../')) throw new Problem('request_invalid', `${name} is not in the checkout ${folder}`)
  return { repository: place.repository, path }
}
