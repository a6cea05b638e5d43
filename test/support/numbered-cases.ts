import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Two lists of hard cases are numbered, and a test that covers one says so by its name: `case 3, 4: ...`. Those of delivery stand in
 * test/delivery and in the files named here, those of the log (a signed history that anyone can verify) everywhere else.
 */
const ofDelivery = new Set([
  'admission/conflicts.db.test.ts',
  'answers/feed.test.ts',
  'http/feed.test.ts',
  'http/server.test.ts',
  'ledger/ledger.db.test.ts',
  'stories/chaos.story.test.ts',
  'stories/two-services.story.test.ts',
  'watch/reconcile.db.test.ts',
])

/** The numbers that names of tests begin with, in tests of that list. */
export async function numbersInTests(list: 'delivery' | 'log'): Promise<Set<number>> {
  const root = join(import.meta.dirname, '..')
  const numbers = new Set<number>()
  for await (const path of glob('**/*.test.ts', { cwd: root })) {
    const file = path.replaceAll('\\', '/')
    if (/(^|\/)cases\.test\.ts$/.test(file)) continue
    if ((file.startsWith('delivery/') || ofDelivery.has(file)) !== (list === 'delivery')) continue
    const text = await readFile(join(root, file), 'utf8')
    for (const [, named = ''] of text.matchAll(/['"`]case (\d+(?:, \d+)*): /g))
      for (const number of named.split(', ')) numbers.add(Number(number))
  }
  return numbers
}
