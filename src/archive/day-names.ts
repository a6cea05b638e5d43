/**
 * What the records of a day name: repositories, runs without one beside them, and artifacts. More may be found than is meant (any text that
 * looks like a digest, a repository in an inner object): a hold and an artifact then last longer than they must, never shorter.
 */
export interface DayNames {
  add(record: Buffer): void
  repositories(): Set<string>
  /** Runs that some record names which names no repository. */
  runs(): Set<string>
  /** Lower-case hex. */
  artifacts(): Set<string>
}

const repositoryName = Buffer.from('"repository":"')
const runName = Buffer.from('"run":"')
const digest = /"([0-9a-f]{64})"/g

export function createDayNames(): DayNames {
  const repositories = new Set<string>()
  const runs = new Set<string>()
  const artifacts = new Set<string>()
  // Neighbours name the same.
  let lastRepository = Buffer.alloc(0)

  /** Every value of the member, as it stands in the text. */
  const valuesOf = (record: Buffer, name: Buffer, found: (value: Buffer) => void): boolean => {
    let any = false
    for (let at = record.indexOf(name); at >= 0; at = record.indexOf(name, at + name.length)) {
      const start = at + name.length
      let end = record.indexOf(0x22, start)
      while (end > 0 && record[end - 1] === 0x5c) end = record.indexOf(0x22, end + 1)
      if (end < 0) break
      found(record.subarray(start, end))
      any = true
    }
    return any
  }
  const text = (value: Buffer): string => {
    try {
      return String(JSON.parse(`"${value.toString('utf8')}"`))
    } catch {
      return value.toString('utf8')
    }
  }

  return {
    add(record) {
      const named = valuesOf(record, repositoryName, (value) => {
        if (value.equals(lastRepository)) return
        lastRepository = Buffer.from(value)
        repositories.add(text(value))
      })
      if (!named) valuesOf(record, runName, (value) => runs.add(text(value)))
      for (const [, sha256 = ''] of record.toString('latin1').matchAll(digest)) artifacts.add(sha256)
    },
    repositories: () => repositories,
    runs: () => runs,
    artifacts: () => artifacts,
  }
}
