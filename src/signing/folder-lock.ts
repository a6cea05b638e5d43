import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Problem } from '../record/problem.ts'

/**
 * Keeps a folder to one process. Node has no flock, and files or sockets that mean `locked` outlive a SIGKILL, after which two starters
 * may both take the lock for stale and steal it. An exclusive transaction of SQLite is a kernel lock on a file (fcntl; its like on
 * other systems): the kernel lets it go with the process, however that ends, and SQLite keeps two holders in one process apart too.
 */
export interface FolderLock {
  release(): void
}

/** Throws Problem in_use at once, naming the folder, when another holder is alive. Nothing is ever stored in `lock.db`. */
export function lockFolder(folder: string): FolderLock {
  const database = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 })
  try {
    database.exec('begin exclusive')
  } catch (cause) {
    database.close()
    const isHeld = cause instanceof Error && /locked|busy/i.test(cause.message)
    if (!isHeld) throw new Error(`${folder} cannot be locked`, { cause })
    throw new Problem(
      'in_use',
      `${folder} is in use by another process. Stop that one first, or choose another data folder.`,
      { cause },
    )
  }
  return {
    release() {
      if (database.isOpen) database.close()
    },
  }
}
