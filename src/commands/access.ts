import { Problem } from '../record/problem.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/**
 * `proofline token`: works on the database, not over HTTP, so that whoever can make tokens is whoever holds the database. The secret of
 * a new token is shown once and stored nowhere.
 */

export interface TokenCommand {
  action: 'create' | 'list' | 'revoke'
  /** What a new token is for. */
  label?: string
  /** Of the token to revoke. */
  id?: string
  scope?: string[]
  repository?: string[]
  /** How long it is valid. */
  days?: number
  config?: string
  dataDir?: string
}

const scopes = ['push', 'feed', 'audit', 'operate']

export async function token(options: TokenCommand, terminal: Terminal): Promise<ExitCode> {
  const { action, scope = [], days } = options
  const unknown = scope.find((name) => !scopes.includes(name))
  if (unknown !== undefined)
    throw new Problem('request_invalid', `there is no scope ${unknown}: take ${scopes.join(', ')}`)
  if (action === 'create' && scope.length === 0)
    throw new Problem('request_invalid', `say what the token may do: --scope ${scopes.join('|')}`)
  if (days !== undefined && (!Number.isInteger(days) || days < 1))
    throw new Problem('request_invalid', '--days takes a whole number of days')
  const { tokens } = await import('./tokens.ts')
  return tokens(options, terminal)
}
