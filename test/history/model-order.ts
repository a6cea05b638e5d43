import type { ModelRecord } from './model.ts'

const text = (record: ModelRecord, field: string): string => record.fields[field] as string

/** The commits of these counting runs in order, and which of them the ref left behind, in plain loops: for the models of lines and of periods. */
export function orderRuns(records: readonly ModelRecord[], runs: readonly { seal: ModelRecord; commit: string }[]) {
  // Every commit has one first parent, whoever tells it.
  const parent = new Map<string, string>()
  const time = new Map<string, number>()
  for (const run of records) {
    if (text(run, 'kind') !== 'run') continue
    const chain = [text(run, 'commit'), ...((run.fields['first_parents'] ?? []) as string[])]
    for (let i = 0; i + 1 < chain.length; i++) if (!parent.has(chain[i]!)) parent.set(chain[i]!, chain[i + 1]!)
    const at = run.fields['committed_at']
    if (typeof at === 'string' && !time.has(chain[0]!)) time.set(chain[0]!, Date.parse(at))
  }
  const commits = [...new Set(runs.map(({ commit }) => commit))]
  for (const commit of commits)
    if (!time.has(commit))
      time.set(
        commit,
        Math.min(...runs.filter((run) => run.commit === commit).map(({ seal }) => seal.recordedAt)) / 1000,
      )
  const previous = (commit: string): string | undefined => {
    let at = parent.get(commit)
    while (at !== undefined && !commits.includes(at)) at = parent.get(at)
    return at
  }
  const earlier = (a: string, b: string): boolean =>
    time.get(a)! < time.get(b)! || (time.get(a) === time.get(b) && a < b)

  // The earliest of those whose predecessor stands already, again and again.
  const order: string[] = []
  while (order.length < commits.length) {
    let next: string | undefined
    for (const commit of commits) {
      const before = previous(commit)
      if (order.includes(commit) || (before !== undefined && !order.includes(before))) continue
      if (next === undefined || earlier(commit, next)) next = commit
    }
    order.push(next!)
  }
  // What the newest tip cannot be reached from, and hangs on its ancestors, was left behind.
  let tip: string | undefined
  for (const commit of commits)
    if (!commits.some((other) => previous(other) === commit) && (tip === undefined || earlier(tip, commit)))
      tip = commit
  const current: string[] = []
  for (let at = tip; at !== undefined; at = previous(at)) current.push(at)
  const isLeft = (commit: string): boolean => {
    if (current.includes(commit)) return false
    for (let at = previous(commit); at !== undefined; at = previous(at)) if (current.includes(at)) return true
    return false
  }
  return { order, isLeft }
}
