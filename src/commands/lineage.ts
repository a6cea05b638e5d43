import { lineageAnswer, lineageKinds } from '../api/lineage.ts'
import { recordId, runId } from '../api/shapes.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import { printLineage } from './print-lineage.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface LineageCommand {
  repository?: string
  asOf?: string
}

type Kind = (typeof lineageKinds)[number]

/** `proofline lineage ID`. What the id looks like says what it is; a name that may be several things is looked for as each of them. */
export async function lineage(
  text: string,
  { repository, asOf }: LineageCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const named = namesOf(text)
  const client = await connect()
  try {
    for (const [i, { kind, id }] of named.entries()) {
      const path = withQuery(`/v1/lineage/${kind}/${encodeURIComponent(id)}`, { repository, as_of: asOf })
      try {
        const { bytes } = await client.send({ method: 'GET', path, signal })
        const answer = lineageAnswer.parse(JSON.parse(Buffer.from(bytes).toString()))
        terminal.print(answer, () => printLineage(answer))
        return 0
      } catch (error) {
        const isMissing = error instanceof Problem && error.code === 'not_found'
        if (!isMissing || (named.length === 1 && i === 0)) throw error
      }
    }
    throw new Problem('not_found', `there is no ${named.map(({ kind }) => kind).join(', ')} ${text} as of this`)
  } finally {
    client.close()
  }
}

/** What a text may name, the likeliest first. Pure. */
export function namesOf(text: string): { kind: Kind; id: string }[] {
  const told = lineageKinds.find((kind) => text.startsWith(`${kind}:`))
  if (told !== undefined) return [{ kind: told, id: text.slice(told.length + 1) }]
  if (recordId.safeParse(text).success) return [{ kind: 'record', id: text }]
  if (runId.safeParse(text).success) return [{ kind: 'run', id: text }]
  const names = [{ kind: 'build', id: text }, { kind: 'deployment', id: text }] as const
  if (/:\d+:\d+$/.test(text)) return [{ kind: 'attempt', id: text }, ...names]
  return /^[0-9a-f]{7,64}$/.test(text) ? [{ kind: 'commit', id: text }, ...names] : [...names]
} // oxfmt-ignore
