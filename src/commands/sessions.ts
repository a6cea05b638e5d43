import { type SessionRow, insertSessionEnd, listSessions } from '../access/session-store.ts'
import { printTime } from '../record/record.ts'
import { insertLocalCommand } from '../watch/local-commands.ts'
import { localCommand } from './local-command.ts'
import { type MaintainCommand, withStorage } from './maintain.ts'
import { type ExitCode, type Terminal, printTable } from './terminal.ts'

const monthMicros = 30 * 86_400_000_000

/** `proofline session list`: those that go on, and with --all those that ended within 30 days. */
export async function listOfSessions(
  options: MaintainCommand & { all?: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  return withStorage<ExitCode>(options, async ({ db }, { org }) => {
    const now = Date.now() * 1000
    const sessions = (await listSessions(db, org, options.all === true ? now - monthMicros : now)).map((row) => describe(row, now)) // oxfmt-ignore
    terminal.print({ sessions }, () =>
      printTable([
        ['id', 'subject', 'scopes', 'repositories', 'since', 'until', 'state'],
        ...sessions.map((s) => [s.id, s.subject, s.scopes.join(','), s.repositories?.join(',') ?? 'all', s.created_at, s.ended_at ?? s.expires_at, s.state]), // oxfmt-ignore
      ]),
    )
    return 0
  })
}

/** `proofline session revoke`: within five seconds no node believes its cookie any more. */
export async function revokeSession(options: MaintainCommand & { id: string }, terminal: Terminal): Promise<ExitCode> {
  const { id } = options
  return withStorage<ExitCode>(options, async ({ db, generations }, { org }) => {
    const revoked = await db.transaction(async (tx) => {
      const done = await insertSessionEnd(tx, org, id, 'revoked', Date.now() * 1000)
      if (done) await insertLocalCommand(tx, generations.now('operations'), localCommand('session.revoke', { session: id })) // oxfmt-ignore
      return done
    })
    terminal.print({ revoked }, () => (revoked ? `${id} is revoked` : `no session ${id} goes on`))
    return revoked ? 0 : 1
  })
}

function describe(row: SessionRow, now: number) {
  const { id, issuer, subject, scopes, repositories, createdAt, expiresAt, endedAt, why } = row
  return {
    id,
    issuer,
    subject,
    scopes,
    ...(repositories === null ? {} : { repositories }),
    created_at: printTime(createdAt),
    expires_at: printTime(expiresAt),
    ...(endedAt === null ? {} : { ended_at: printTime(endedAt) }),
    state: why ?? (expiresAt <= now ? 'expired' : 'valid'),
  }
}
