/** How often others have their turn on this thread while `work` is under way. */
export async function countTurns(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let over = false
  const next = (): void => {
    turns += 1
    if (!over) setImmediate(next)
  }
  setImmediate(next)
  await work()
  over = true
  return turns
}
