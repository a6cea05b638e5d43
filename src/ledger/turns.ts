import type { Database, Session } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'

/**
 * Nodes that append to one ledger take turns by an advisory lock, held for one append and waited for at most 200 ms. It only saves work:
 * the primary key of `heads` is the truth. Nobody asks for the lock until the fence was lost once, so a single node never pays for it.
 */
export interface Turns {
  contended(): boolean
  /** The fence was lost: another node appends too. */
  lost(): void
  /** Waits for the turn when contended; answers how to give it back. */
  take(): Promise<() => Promise<void>>
  close(): Promise<void>
}

const waitMs = 200
const contendedForMs = 10_000

export function createTurns(db: Database, ledger: LedgerName): Turns {
  let lostAt = -Infinity
  let session: Session | undefined
  const key = `proofline.append.${ledger}`
  const contended = (): boolean => performance.now() - lostAt < contendedForMs
  const nothing = async (): Promise<void> => {}

  const open = async (): Promise<Session> => {
    if (session !== undefined && !session.lost.aborted) return session
    session = await db.session()
    await session.query({ text: `select set_config('lock_timeout', $1, false)`, values: [`${waitMs}ms`] })
    return session
  }

  return {
    contended,
    lost() {
      lostAt = performance.now()
    },
    async take() {
      if (!contended()) {
        await session?.release()
        session = undefined
        return nothing
      }
      try {
        const held = await open()
        await held.query({ name: 'turn_take', text: 'select pg_advisory_lock(hashtextextended($1, 0))', values: [key] })
        return async () => {
          await held
            .query({ name: 'turn_give', text: 'select pg_advisory_unlock(hashtextextended($1, 0))', values: [key] })
            .catch(async () => {
              await held.release()
              session = undefined
            })
        }
      } catch {
        return nothing // waited long enough, or no connection to spare: the fence decides
      }
    },
    async close() {
      await session?.release()
      session = undefined
    },
  }
}
