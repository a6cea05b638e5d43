export interface Tasks {
  add(task: Promise<void>): void
  /** Resolves when none is left, also of those added meanwhile. */
  settled(): Promise<void>
}

/** Keeps promises that nobody awaits from failing unseen. */
export function createTasks(failed: (error: unknown) => void): Tasks {
  const running = new Set<Promise<void>>()
  return {
    add(task) {
      const guarded: Promise<void> = task.catch(failed).finally(() => running.delete(guarded))
      running.add(guarded)
    },
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}

/** Does nothing while the last run lasts: a slow database is not asked the same again and again. */
export function unlessRunning(run: () => Promise<void>): () => Promise<void> {
  let isRunning = false
  return async () => {
    if (isRunning) return
    isRunning = true
    await run().finally(() => (isRunning = false))
  }
}
