/** What the projection inserts at a step, table by table: migrations/0020_history.sql and 0026 say what each is for. */

export interface Rows {
  repositories: { id: number; repository: string }[]
  paths: { repository: number; id: number; path: string }[]
  layouts: { repository: number; id: number; digest: Buffer; paths: Buffer }[]
  declared: DeclaredRow[]
  rejections: RejectionRow[]
  runs: RunRow[]
  commits: CommitRow[]
  changes: ChangeRow[]
  inventories: InventoryRow[]
  blobs: BlobRow[]
  maps: MapRow[]
}

export interface DeclaredRow {
  repository: number
  /** Of the `run` record. */
  seq: number
  run: string
  suite: string
  ref: string
  commit: Buffer
  recordedAt: number
}

export interface RejectionRow {
  repository: number
  seq: number
  recordedAt: number
  run: string | null
  commit: string | null
  reason: string
}

export interface RunRow {
  repository: number
  seq: number
  run: string
  suite: string
  ref: string
  commit: Buffer
  recordedAt: number
  /** Why it does not count, separated by commas; empty when it counts. */
  reasons: string
  production: Buffer | null
  base: number
  /** JSON of PartLayout[]. */
  parts: string | null
}

/** Layout, definition, and first and last seq of each range of records. */
export type PartLayout = [layout: number, definition: string, ...ranges: number[]]

export interface CommitRow {
  repository: number
  seq: number
  commit: Buffer
  committedAt: string | null
  parents: Buffer
}

export interface ChangeRow {
  repository: number
  path: number
  definition: string
  seq: number
  blob: Buffer | null
  state: Buffer | null
}

export interface InventoryRow {
  repository: number
  seq: number
  commit: Buffer
  base: number
}

export interface BlobRow {
  repository: number
  path: number
  seq: number
  blob: Buffer | null
}

export interface MapRow {
  repository: number
  path: number
  seq: number
  fromPath: number
  fromBlob: Buffer
  blob: Buffer
  hunks: string
}

export const noRows = (): Rows => ({
  repositories: [],
  paths: [],
  layouts: [],
  declared: [],
  rejections: [],
  runs: [],
  commits: [],
  changes: [],
  inventories: [],
  blobs: [],
  maps: [],
})

export function countRows(rows: Rows): number {
  return Object.values(rows).reduce((sum, list: unknown[]) => sum + list.length, 0)
}
