import { findUnknown } from '../ledger/signer-behind.ts'
import { openBook } from '../ledger/book.ts'
import { createKeyCare } from '../ledger/key-care.ts'
import { createTree } from '../ledger/tree.ts'
import { statementKeyName } from '../log/statement.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { openSigner } from '../service/signer.ts'
import { silentLogger } from '../telemetry/logger.ts'
import { createCommandRecorder } from '../watch/commands.ts'
import { type MaintainCommand, withStorage } from './maintain.ts'
import { printTable, type ExitCode, type Terminal } from './terminal.ts'

export interface AdoptCommand extends MaintainCommand {
  reason: string
}

interface Adopted {
  ledger: LedgerName
  known: number
  size: number
  verdict: string
}

/**
 * `proofline key adopt`: the way out of `signer_not_current` when a guard was brought back from a backup. It takes over the newest checkpoint
 * of each ledger, if the signer's own keys signed it and it continues what the guard knows. The service must not run beside it with a signer
 * in the process. 1 when one of them does not continue.
 */
export async function adopt(options: AdoptCommand, terminal: Terminal): Promise<ExitCode> {
  return withStorage(
    options,
    async ({ db, reader, watch, ledgers, generations }, config) => {
      const originOf = (ledger: LedgerName): string => `${config.public_host}/${ledger}`
      const operations = generations.now('operations')
      const signer = await openSigner(config, originOf)
      try {
        const statementName = statementKeyName(config.public_host, config.org)
        await createKeyCare({ db, reader, signer, ledgers, operations, earlier: generations.chain(operations).slice(0, -1), originOf, statementName }).check() // oxfmt-ignore
        const adopted: Adopted[] = []
        for (const ledger of ledgers) {
          const unknown = await findUnknown(db, signer, ledger)
          if (unknown === undefined) continue
          const { known, size, note } = unknown
          const from = Math.max(known, 0)
          const hashes = from === 0 ? [] : await createTree(db, ledger, reader).consistency(from, size)
          const answer = await signer.adopt(ledger, note, { from, hashes })
          adopted.push({ ledger, known, size, verdict: answer.kind === 'refused' ? answer.reason : answer.kind })
        }
        const isDone = adopted.every(({ verdict }) => verdict === 'adopted' || verdict === 'known')
        if (isDone && adopted.length > 0) {
          // Afterwards, for before it nothing could be recorded. A crash between leaves the guard as it should be, and no word of why.
          const book = await openBook({ ledger: operations, db, signer, reader, watch, node: 'key adopt', log: silentLogger }) // oxfmt-ignore
          const stopped = book.publisher.stopped()
          if (stopped !== undefined) throw new Problem(stopped.code, stopped.message)
          const detail = { adopted: adopted.map(({ ledger, known, size }) => ({ ledger, known, size })) }
          await createCommandRecorder(book)({ who: { id: 'console', method: 'local' }, command: 'key.adopt', target: 'guard', reason: options.reason, detail }) // oxfmt-ignore
          await book.close()
        }
        terminal.print(
          { adopted },
          () =>
          adopted.length === 0
            ? 'the signer knows all that is published'
            : printTable([['ledger', 'known to the signer', 'published', ''], ...adopted.map(({ ledger, known, size, verdict }) => [ledger, known < 0 ? 'nothing' : String(known), String(size), verdict])]), // oxfmt-ignore
        )
        return isDone ? 0 : 1
      } finally {
        await signer.close()
      }
    },
    'data',
  )
}
