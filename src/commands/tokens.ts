import { type Scope, scopes } from '../access/principal.ts'
import { type IssuedToken, createTokens, describeToken } from '../access/tokens.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import { insertLocalCommand } from '../watch/local-commands.ts'
import { localCommand } from './local-command.ts'
import { type MaintainCommand, withStorage } from './maintain.ts'
import { type ExitCode, type Terminal, printTable } from './terminal.ts'

export interface TokensCommand extends MaintainCommand {
  action: 'create' | 'list' | 'revoke'
  label?: string
  id?: string
  scope?: string[]
  repository?: string[]
  days?: number
}

/** `proofline token create|list|revoke`: on the database itself, so that somebody locked out gets in again. What is done is on record with it. */
export async function tokens(options: TokensCommand, terminal: Terminal): Promise<ExitCode> {
  return withStorage(options, async ({ db, generations }, { org }) => {
    const operations = generations.now('operations')
    switch (options.action) {
      case 'create': {
        const wish = {
          org,
          label: options.label ?? 'token',
          scopes: (options.scope ?? ['push']).map(toScope),
          ...(options.repository === undefined ? {} : { repositories: options.repository }),
          ...(options.days === undefined ? {} : { days: options.days }),
        }
        const made = await db.transaction(async (tx) => {
          const one = await createTokens(tx).create(wish)
          await insertLocalCommand(tx, operations, localCommand('token.create', describeToken(one.issued)))
          return one
        })
        terminal.print({ token: made.token, ...printToken(made.issued) }, () => made.token)
        return 0
      }
      case 'list': {
        const list = (await createTokens(db).list(org)).map(printToken)
        terminal.print({ tokens: list }, () =>
          printTable([
            ['id', 'label', 'scopes', 'repositories', 'expires', 'state'],
            ...list.map((t) => [t.id, t.label, t.scopes.join(','), t.repositories?.join(',') ?? 'all', t.expires_at, t.state]), // oxfmt-ignore
          ]),
        )
        return 0
      }
      case 'revoke': {
        // As records name it, too.
        const id = (options.id ?? '').replace(/^token:/, '')
        const revoked = await db.transaction(async (tx) => {
          const done = await createTokens(tx).revoke(org, id)
          if (done) await insertLocalCommand(tx, operations, localCommand('token.revoke', { token: id }))
          return done
        })
        terminal.print({ revoked }, () => (revoked ? `${id} is revoked` : `there is no valid token ${id}`))
        return revoked ? 0 : 1
      }
    }
  })
}

function toScope(text: string): Scope {
  const scope = scopes.find((known) => known === text)
  if (scope === undefined)
    throw new Problem('request_invalid', `there is no scope ${text}; they are ${scopes.join(', ')}`)
  return scope
}

function printToken({ id, label, scopes: held, repositories, createdAt, expiresAt, revokedAt }: IssuedToken) {
  return {
    id,
    label,
    scopes: held,
    repositories,
    created_at: printTime(createdAt),
    expires_at: printTime(expiresAt),
    revoked_at: revokedAt === undefined ? undefined : printTime(revokedAt),
    state: revokedAt !== undefined ? 'revoked' : expiresAt <= Date.now() * 1000 ? 'expired' : 'valid',
  }
}
