import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'

/**
 * How many bytes may be taken in: decided before a body is read, by what was counted so far and what the body announces. What is counted
 * are decoded bytes of artifacts that were kept, once a part. Uploads that run at the same time do not see each other, so the last ones
 * may go over by what they bring; a crash between keeping and recording a part counts it twice.
 */
export interface Quotas {
  /** Throws Problem quota_exceeded when there is no room for what is announced; undefined announces nothing. */
  admit(repository: string, announcedBytes: number | undefined): Promise<Room>
  count(repository: string, bytes: number): Promise<void>
}

/** How much of a body may be read, and what to say when it turns out to be more. */
export interface Room {
  bytes: number
  refusal: () => Problem
}

export interface QuotaLimits {
  artifactBytes: number
  repositoryBytesPerDay?: number | undefined
  totalBytes?: number | undefined
}

/** What was taken in so far, and the UTC day of the database. */
export interface Taken {
  today: number
  total: number
  day: string
}

const words = {
  artifact_bytes: 'one artifact',
  repository_bytes_per_day: 'this repository today',
  total_bytes: 'this service',
} as const

/** Pure: the tightest limit, and what is left of it. */
export function roomFor(limits: QuotaLimits, taken: Taken, announcedBytes: number | undefined): Room {
  const all = [
    { limit: 'artifact_bytes', bytes: limits.artifactBytes, used: 0 },
    { limit: 'repository_bytes_per_day', bytes: limits.repositoryBytesPerDay ?? Infinity, used: taken.today },
    { limit: 'total_bytes', bytes: limits.totalBytes ?? Infinity, used: taken.total },
  ] as const
  const [tightest] = all.toSorted((a, b) => a.bytes - a.used - (b.bytes - b.used))
  if (tightest === undefined) throw new Error('there are three limits')
  const { limit, bytes, used } = tightest
  const left = Math.max(0, bytes - used)
  const resets = limit === 'repository_bytes_per_day' ? { resets_at: dayAfter(taken.day) } : {}
  const refusal = (): Problem => {
    const until = 'resets_at' in resets ? `, until ${resets.resets_at}` : ''
    const detail = `${words[limit]} may bring ${bytes} bytes (${limit}${until}); ${used} are taken${announcedBytes === undefined ? '' : ` and ${announcedBytes} were announced`}`
    return new Problem('quota_exceeded', detail, { extra: { quota: { limit, bytes, used, ...resets } } })
  }
  return { bytes: left, refusal }
}

const dayAfter = (day: string): string => new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString()

export function createQuotas(db: Queryable, org: string, limits: QuotaLimits): Quotas {
  return {
    async admit(repository, announcedBytes) {
      const counting = limits.repositoryBytesPerDay !== undefined || limits.totalBytes !== undefined
      const taken = counting ? await readTaken(db, org, repository) : { today: 0, total: 0, day: '1970-01-01' }
      const room = roomFor(limits, taken, announcedBytes)
      if (room.bytes === 0 || (announcedBytes ?? 0) > room.bytes) throw room.refusal()
      return room
    },
    count: (repository, bytes) => addTaken(db, org, repository, bytes),
  }
}

async function readTaken(db: Queryable, org: string, repository: string): Promise<Taken> {
  const { rows } = await db.query<Taken>({
    name: 'read_intake_sums',
    text: `select (now() at time zone 'UTC')::date::text as day,
             coalesce((select bytes from intake_sums where org = $1 and repository = $2 and day = (now() at time zone 'UTC')::date), 0) as today,
             (select coalesce(sum(bytes), 0)::bigint from intake_sums where org = $1 and day = '-infinity') as total`,
    values: [org, repository],
  })
  const [taken] = rows
  if (taken === undefined) throw new Error('a select without from answers one row')
  return taken
}

async function addTaken(db: Queryable, org: string, repository: string, bytes: number): Promise<void> {
  await db.query({
    name: 'add_intake_sums',
    text: `insert into intake_sums as sums (org, repository, day, bytes)
           select $1, $2, day, $3 from (values ((now() at time zone 'UTC')::date), ('-infinity'::date)) as days (day) order by day
           on conflict (org, repository, day) do update set bytes = sums.bytes + excluded.bytes`,
    values: [org, repository, bytes],
  })
}
