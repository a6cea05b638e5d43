import { detachDueMonths } from '../../src/archive/detach.ts'
import { expireLedger } from '../../src/archive/expire.ts'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { type Database, type Statement, createDatabase } from '../../src/database/database.ts'
import { createFolderObjects } from '../../src/objects/folder.ts'
import { createFolderSigner, openArchiveNode } from './archive.ts'

/**
 * One pass over the archive of a database as a process of its own, which kills itself before or after its nth effect: a put, a removal, or
 * a statement that writes. `archive-child.ts <url> <objects> <signer> <archive|retention> <n> <before|after>`; says `done` at its end.
 */

const [url = '', folder = '', signerFolder = '', what = '', nth = '0', when = ''] = process.argv.slice(2)
let effects = Number.NEGATIVE_INFINITY // opening the ledgers does not count
async function effect<T>(work: () => Promise<T>): Promise<T> {
  const isLast = ++effects === Number(nth)
  if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL')
  const result = await work()
  if (isLast) process.kill(process.pid, 'SIGKILL')
  return result
}

const real = createDatabase({ url })
const writes = ({ text }: Statement): boolean =>
  /\binsert into|\b(?:append|publish_checkpoint|detach_month|expire_day)\(/.test(text)
const db: Database = {
  ...real,
  query: (statement) => (writes(statement) ? effect(() => real.query(statement)) : real.query(statement)),
  transaction: (work) => effect(() => real.transaction(work)),
}
const stored = await createFolderObjects(folder)
const objects = {
  ...stored,
  put: (...args: Parameters<typeof stored.put>) => effect(() => stored.put(...args)),
  remove: (key: string) => effect(() => stored.remove(key)),
}
const ledgers = ['main/unit', 'main/operations'] as const
const node = await openArchiveNode({ db, objects, ledgers, signer: await createFolderSigner(signerFolder) })
const operations = node.books.get('main/operations')
if (operations === undefined) throw new Error('operations is open')
const { signal } = new AbortController()
effects = 0
if (what === 'archive') await archiveDays(node.writer('main/unit'), 900_000_000, signal)
else {
  await detachDueMonths({ db, operations, online: 12, archived: ledgers.map(node.writer) }, signal)
  await expireLedger({ db, reader: node.reader, objects, operations, ledgers }, 'main/unit', signal)
}
process.stdout.write(`done after ${effects} effects\n`)
await node.close()
await db.end()
