import { type ShelfEffects, createFolderShelf, realShelfEffects } from '../../src/publish/folder-shelf.ts'
import { publishLog } from '../../src/publish/publish-log.ts'
import { createMemoryLog, ledger, origin } from './memory-log.ts'

/** Publishes a log in three rounds and kills itself before effect number `at`; prints how many there were when it lived. */
const [folder = '', atText = ''] = process.argv.slice(2)
const at = Number(atText)
let n = 0

const before =
  <A extends unknown[]>(effect: (...args: A) => Promise<void>, half?: (...args: A) => Promise<void>) =>
  async (...args: A): Promise<void> => {
    if (n++ === at) {
      await half?.(...args)
      process.kill(process.pid, 'SIGKILL')
    }
    await effect(...args)
  }
const { write, sync, link, rename, syncFolder, remove } = realShelfEffects
const effects: ShelfEffects = {
  write: before(write, (path, bytes) => write(path, bytes.subarray(0, bytes.length >> 1))),
  sync: before(sync),
  link: before(link),
  rename: before(rename),
  syncFolder: before(syncFolder),
  remove: before(remove),
}
const log = await createMemoryLog(300)
const shelf = await createFolderShelf(folder, effects)
for (const size of [3, 256, 300]) {
  const { signal } = new AbortController()
  await publishLog({ shelf, ledger, origin, keys: [log.key], tree: log.tree, newest: () => log.note(size), signal })
}
process.stdout.write(`${n}\n`)
