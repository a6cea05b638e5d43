import { Problem } from '../record/problem.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/**
 * `proofline token`: works on the database, not over HTTP, so that whoever can make tokens is whoever holds the database. The secret of
 * a new token is shown once and stored nowhere.
 */

export interface TokenCommand {
  action: 'create' | 'list' | 'revoke'
  name?: string
  scope?: string[]
  repository?: string[]
  expires?: string
  org?: string
  id?: string
  config?: string
  dataDir?: string
}

const scopes = ['push', 'feed', 'audit', 'operate']

export async function token(options: TokenCommand, terminal: Terminal): Promise<ExitCode> {
  const unknown = options.scope?.find((scope) => !scopes.includes(scope))
  if (unknown !== undefined)
    throw new Problem('request_invalid', `there is no scope ${unknown}: take ${scopes.join(', ')}`)
  if (options.action === 'create' && (options.scope ?? []).length === 0)
    throw new Problem('request_invalid', `say what the token may do: --scope ${scopes.join('|')}`)
  const { tokens } = await import('./maintain.ts')
  return tokens(options, terminal)
}
