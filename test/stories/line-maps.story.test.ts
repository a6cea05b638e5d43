import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseHunks } from '../../src/record/hunks.ts'
import { git, makeFolder, write } from '../commands/run-program.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Finished,
  type RunningService,
  anLcov,
  cleanEnvironment,
  cli,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'
import { type Place, type Snapshot, createMovingRepository, secret } from './moving-repository.ts'

/**
 * A history pushed by the real program as CI does it: from shallow and full clones, some commits never, one late, two shards to two
 * services at once. What the feed then holds must follow every line as the repository itself knows it.
 */
let database: TestDatabase
let services: RunningService[]
let dataDir: string
let folder: string
let history: Snapshot[]
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const data = await temporaryFolder('maps')
  cleanups.push(data.remove)
  dataDir = data.path
  const socket = join(data.path, 'signer.sock')
  const signer = spawn(process.execPath, [cli, 'signer', '--socket', socket, '--data-dir', join(data.path, 'signer')], {
    env: cleanEnvironment(data.path),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanups.push(async () => signer.kill('SIGKILL'))
  await new Promise((resolve) => signer.stdout.once('data', resolve))
  services = []
  for (const name of ['a', 'b']) {
    const env = { PROOFLINE_SIGNER_SOCKET: socket }
    const service = await startServe({ dataDir: join(data.path, name), databaseUrl: database.url, env })
    services.push({ ...service, token: services[0]?.token ?? service.token })
    cleanups.push(async () => service.signal('SIGKILL'))
  }
  folder = makeFolder()
  cleanups.push(async () => rmSync(join(folder, '..'), { recursive: true, force: true }))
  git(folder, 'init', '-q', '-b', 'main')
  const repository = createMovingRepository(folder, 20_261_123)
  history = Array.from({ length: 14 }, () => repository.next())
}, 180_000)
afterAll(async () => {
  for (const clean of cleanups.toReversed()) await clean()
  await new Promise((wake) => setTimeout(wake, 500)) // until the database noticed
  await database.drop()
})

let clones = 0
/** A clone as CI makes it: this commit, detached, and `depth` of its history; all of it without. */
function clone(index: number, depth?: number): string {
  const place = join(folder, '..', `clone-${clones++}`)
  const commit = commitAt(index)
  git(join(folder, '..'), 'init', '-q', place)
  git(place, 'remote', 'add', 'origin', `file://${folder}`)
  git(place, 'fetch', '-q', ...(depth === undefined ? [] : [`--depth=${depth}`]), 'origin', commit)
  git(place, 'checkout', '-q', '--detach', commit)
  write(place, 'coverage/lcov.info', anLcov(index))
  return place
}

const commitAt = (index: number): string => {
  const snapshot = history[index]
  if (snapshot === undefined) throw new Error(`no commit ${index}`)
  return snapshot.commit
}

function push(place: string, suite = 'api', node = 0, ...more: string[]): Promise<Finished> {
  const service = services[node]
  if (service === undefined) throw new Error('no such service')
  const names = ['--repository', 'github.com/acme/payments', '--ref', 'refs/heads/main', '--suite', suite]
  return runCli(['push', 'coverage/lcov.info', '--test-type', 'unit', '--tests', '1,1,0,0', ...names, ...more], {
    cwd: place,
    env: cleanEnvironment(join(folder, '..'), { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token }),
  })
}

type AnyRecord =
  | { kind: 'inventory'; commit: string; files: [path: string, blob: string][] }
  | {
      kind: 'linemap'
      path: string
      blob: string
      from: { path: string; blob: string }
      window?: { index: number }
      hunks: string
    }
  | {
      kind: 'comparison'
      commit: string
      from: { commit: string }
      renames: { first: [from: string, to: string][] }
      unmapped: { count: number }
    }

interface Comparison {
  from: string
  to: string
  renames: Map<string, string>
  unmapped: number
}

/** What the records say, read from the feed as anybody does. */
async function readMaps() {
  const service = services[1]
  if (service === undefined) throw new Error('no such service')
  const records = await readLedger(service, 'unit', 'inventory,linemap,comparison')
  const inventories = new Map<string, Map<string, string>>()
  const hunks = new Map<string, string>()
  const comparisons: Comparison[] = []
  for (const record of records as unknown as AnyRecord[]) {
    if (record.kind === 'inventory') {
      const files = inventories.get(record.commit) ?? new Map<string, string>()
      for (const [path, blob] of record.files) files.set(path, blob)
      inventories.set(record.commit, files)
    } else if (record.kind === 'linemap') {
      const key = `${record.from.path}@${record.from.blob}/${record.path}@${record.blob}`
      const isNext = (record.window?.index ?? 0) > 0
      expect(hunks.has(key), `${key} is recorded once`).toBe(isNext)
      hunks.set(key, `${hunks.get(key) ?? ''}${isNext ? ' ' : ''}${record.hunks}`)
    } else {
      const { from, commit: to, renames, unmapped } = record
      comparisons.push({ from: from.commit, to, renames: new Map(renames.first), unmapped: unmapped.count })
    }
  }
  return { records, inventories, hunks, comparisons }
}

type Maps = Awaited<ReturnType<typeof readMaps>>

/** Where a line of one commit is in the other: from records alone. */
function follow(
  { path, line }: Place,
  { from, to, renames }: Comparison,
  { inventories, hunks }: Maps,
): Place | undefined {
  const before = inventories.get(from)?.get(path)
  const target = renames.get(path) ?? path
  const after = inventories.get(to)?.get(target)
  if (after === undefined) return undefined
  if (before === after && target === path) return { path, line }
  const text = hunks.get(`${path}@${before}/${target}@${after}`)
  if (text === undefined) throw new Error(`no map of ${path} to ${target}`)
  const numbers = parseHunks(text)
  let shift = 0
  for (let i = 0; i < numbers.length; i += 4) {
    const [old, count, , newCount] = numbers.slice(i, i + 4) as [number, number, number, number]
    const start = count === 0 ? old + 1 : old
    if (line < start) break
    if (line < start + count) return undefined
    shift += newCount - count
  }
  return { path: target, line: line + shift }
}

describe('line maps of a real history', () => {
  it(
    'are brought by push from shallow and full clones, by shards at once, for late commits too',
    { timeout: 420_000 },
    async () => {
      const first = await push(clone(0))
      expect(first).toMatchObject({ code: 0, stderr: expect.not.stringContaining('line maps') })

      const shallow = clone(2, 1) // its parent was never pushed: the newest commit of the ref is fetched
      const second = await push(shallow)
      expect(second.stderr).toContain(`fetching ${commitAt(0).slice(0, 12)} from origin for line maps`)
      expect(second.stderr).toMatch(
        new RegExp(`^line maps: \\d+ files from ${commitAt(0).slice(0, 12)} to ${commitAt(2).slice(0, 12)}`, 'm'),
      )
      expect(git(shallow, 'rev-list', '--count', 'HEAD')).toBe('1')

      const place = clone(3, 2)
      const shards = await Promise.all(Array.from({ length: 4 }, (_, i) => push(place, `shard-${i}`, i % 2, '--json')))
      for (const { code, stdout, stderr } of shards) {
        expect(code, stderr).toBe(0)
        expect(JSON.parse(stdout)).toMatchObject({ line_maps: expect.any(Array) })
      }
      const told = shards.map(({ stdout }) => JSON.parse(stdout).line_maps as object[]).flat()
      expect(new Set(told.map((answer) => JSON.stringify(answer))).size).toBe(1)

      const forbidden = await push(clone(5, 1), 'api', 0, '--no-fetch')
      expect(forbidden.code).toBe(0)
      expect(forbidden.stderr).toMatch(
        /line maps: none from \w+ to \w+: .* not in this clone, and --no-fetch was said; the run is recorded all the same/,
      )

      await push(clone(8))
      const late = await push(clone(6, 1), 'api', 1) // after its descendant
      expect(late.code, late.stderr).toBe(0)
      expect(late.stderr).toContain(`to ${commitAt(8).slice(0, 12)}`)
      const full = clone(9)
      await push(full)
      expect(git(full, 'rev-parse', '--is-shallow-repository')).toBe('false')
      await push(clone(12, 3))
      const last = await push(clone(13))
      expect(last.code, last.stderr).toBe(0)
      expect(last.stderr).not.toContain('line maps: none')
      const again = await push(clone(13))
      expect(again.stderr).not.toContain('line maps')
    },
  )

  it(
    'follow every line from each recorded commit to the next, and hold no word of the source',
    { timeout: 60_000 },
    async () => {
      const maps = await readMaps()
      expect(JSON.stringify(maps.records)).not.toContain(secret)
      const recorded = history.filter(({ commit }) => maps.inventories.has(commit))
      expect(recorded).toHaveLength(9)
      let [followed, shifted, renamed, gone, lostByMoves] = [0, 0, 0, 0, 0]
      for (const [i, before] of recorded.entries()) {
        const after = recorded[i + 1]
        if (after === undefined) break
        const comparison = maps.comparisons.find(({ from, to }) => from === before.commit && to === after.commit)
        if (comparison === undefined) throw new Error(`${before.commit} and ${after.commit} were not compared`)
        const between = history.slice(history.indexOf(before) + 1, history.indexOf(after) + 1)
        for (const [text, from] of before.places) {
          const to = follow(from, comparison, maps)
          const truth = after.places.get(text)
          if (to === undefined && truth !== undefined) {
            expect(
              between.some(({ moved }) => moved.has(text)),
              `${text} was not moved`,
            ).toBe(true)
            lostByMoves++
            continue
          }
          expect(to, text).toEqual(truth)
          followed++
          if (truth === undefined) gone++
          else if (truth.line !== from.line) shifted++
          if (truth !== undefined && truth.path !== from.path) renamed++
        }
      }
      expect(lostByMoves).toBeLessThan(followed / 20)
      for (const count of [shifted, renamed, gone]) expect(count).toBeGreaterThan(20)
    },
  )

  it('are verified like every record', { timeout: 120_000 }, async () => {
    const { stdout, code } = await runCli(['verify', '--database', '--data-dir', join(dataDir, 'signer'), '--json'], {
      env: cleanEnvironment(join(folder, '..'), { DATABASE_URL: database.url }),
    })
    expect(code, stdout).toBe(0)
  })
})
