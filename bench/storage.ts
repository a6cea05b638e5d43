import { createHash } from 'node:crypto'
import pg from 'pg'
import { type Check, type Figure, printNumber, skipped } from './figure.ts'
import { corpusFile, corpusNames } from './reports.ts'
import { type BenchService, declareRun, type Run, sealRun } from './service.ts'

/**
 * What the database grows by for each line state of a real year: every run of the corpus' history-lua pushed in order, with the inventory of
 * its commit, for each of several repositories. Nothing is shared between them, so each is stored as if it were alone; but half-filled pages
 * and maps of free space, which weigh as much as all content when there are 56 runs, weigh what they do in a database in use. All tables and
 * indexes count, those of the log and of runs too; artifacts do not.
 */

const what = 'stored for each line state of a real year'
const root = '/home/ci/workspace/hist/w'

interface HistoryEvent {
  commit: string
  committedAt: string
  testType: 'unit' | 'integration'
  bytes: Buffer
  lines: number
  hit: number
}

export async function measureStorage(service: BenchService, repositories: number, check: Check): Promise<Figure> {
  const events = readEvents()
  if (events.length === 0)
    return skipped(what, 'bytes', 0.4, 'less', 'the corpus is not here: set PROOFLINE_CORPUS to its folder')
  const client = new pg.Client({ connectionString: await service.databaseUrl() })
  await client.connect()
  try {
    const empty = await sizesOf(client)
    let [states, records] = [0, 0]
    let alone = Number.NaN
    for (let repository = 0; repository < repositories; repository++) {
      for (const event of events) {
        const pushed = await pushEvent(service, event, repository, check)
        states += pushed.states
        records += pushed.records
      }
      if (repository === 0) alone = grownBy(empty, await sizesOf(client)) / states
    }
    await client.query('checkpoint')
    const full = await sizesOf(client)
    const grown = [...full]
      .map(([name, size]) => [name, size - (empty.get(name) ?? 0)] as const)
      .filter(([, size]) => size !== 0)
    const total = grown.reduce((sum, [, size]) => sum + size, 0)
    const { rows } = await client.query<{ part: string; bytes: string }>(
      `select 'payloads of ' || kind as part, sum(length(payloads)) as bytes from proofline.segments group by kind
       union all select 'leaf hashes', sum(length(leaf_hashes)) from proofline.segments
       union all select 'hashes of ids', sum(length(id_hashes)) from proofline.segments order by bytes desc`,
    )
    const content = await contentOf(client)
    const per = (bytes: number): string => (bytes / states).toFixed(3)
    const tables = Object.fromEntries(grown.toSorted(([, a], [, b]) => b - a).map(([name, size]) => [name, per(size)]))
    const parts = Object.fromEntries(rows.map(({ part, bytes }) => [part, per(Number(bytes))]))
    const inRows = [...content].reduce((sum, [, bytes]) => sum + bytes, 0)
    return {
      what, unit: 'bytes', measured: total / states, target: 0.4, better: 'less', runs: [total / states],
      note: `${repositories} repositories of ${events.length} runs each, ${printNumber(records)} coverage records, ${printNumber(states)} line states: ${printNumber(total / 1024)} KiB with all indexes, of which the rows themselves are ${per(inRows)} a line state; the first repository alone ${printNumber(alone)}`,
      limit: `what stands around the rows (headers, indexes, half-filled pages); bytes a line state by content: ${printAll(parts)}; by table: ${printAll(tables)}`,
      detail: { ...parts, ...tables },
    } // oxfmt-ignore
  } finally {
    await client.end()
  }
}

async function pushEvent(
  service: BenchService,
  { commit, testType, bytes, lines, hit }: HistoryEvent,
  number: number,
  check: Check,
): Promise<{ states: number; records: number }> {
  const repository = `github.com/lua/lua${number === 0 ? '' : `-${number}`}`
  // Commits of another repository are others.
  const own = number === 0 ? commit : createHash('sha1').update(`${repository} ${commit}`).digest('hex')
  const run: Run = { run: `bench.${own.slice(0, 12)}.lua.${testType}`, repository, suite: 'lua', commit: own, testType }
  await declareRun(service, run, inventoryOf(bytes))
  const receipt = await service.call(
    'PUT',
    `/v1/runs/${run.run}/parts?name=coverage.info&root=${encodeURIComponent(root)}`,
    bytes,
  )
  await sealRun(service, run.run)
  const { recomputed } = receipt['totals'] as {
    recomputed: { lines: { found: number; covered: number; partial: number } }
  } // PartReceipt
  const { found, covered, partial } = recomputed.lines
  check(
    `${run.run} has the lines of its report`,
    found === lines && covered + partial === hit,
    `${found} of ${lines}, executed ${covered + partial} of ${hit}`,
  )
  return { states: found, records: (receipt['records'] as { count: number }).count }
}

function grownBy(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return [...after].reduce((sum, [name, size]) => sum + size - (before.get(name) ?? 0), 0)
}

function printAll(bytes: Record<string, string>): string {
  return Object.entries(bytes)
    .filter(([, size]) => Number(size) >= 0.005)
    .map(([name, size]) => `${name} ${size}`)
    .join(', ')
}

function readEvents(): HistoryEvent[] {
  if (corpusNames('history-lua').length === 0) return []
  const [head = '', ...rows] = (corpusFile('history-lua/EVENTS.tsv') ?? Buffer.alloc(0)).toString().trim().split('\n')
  const names = head.split('\t')
  return rows.flatMap((row) => {
    const cells = row.split('\t')
    const of = (name: string): string => cells[names.indexOf(name)] ?? ''
    const bytes = corpusFile(`history-lua/${of('file')}`)
    if (bytes === undefined) return []
    const testType = of('test_type') === 'unit' ? 'unit' : 'integration'
    return [
      {
        commit: of('commit'),
        committedAt: of('commit_time'),
        testType,
        bytes,
        lines: Number(of('exp_lines_found')),
        hit: Number(of('exp_lines_hit')),
      },
    ]
  })
}

/** The files of the report. Source is not in the corpus; a blob that changes whenever the instrumented lines do stands in for git's. */
function inventoryOf(bytes: Buffer): string {
  let [path, inventory] = ['', '']
  let digest = createHash('sha1')
  for (const line of bytes.toString('latin1').split('\n')) {
    if (line.startsWith('SF:')) {
      path = line.slice(3).replace(`${root}/`, '')
      digest = createHash('sha1')
    } else if (line.startsWith('DA:')) digest.update(line.slice(0, line.indexOf(',')))
    else if (line === 'end_of_record') inventory += `${JSON.stringify({ path, blob: digest.digest('hex') })}\n`
  }
  return inventory
}

/** Bytes of the rows alone: what would be left if pages, row headers and indexes cost nothing. */
async function contentOf(client: pg.Client): Promise<Map<string, number>> {
  const content = new Map<string, number>()
  for (const name of (await sizesOf(client)).keys()) {
    const { rows } = await client.query<{ bytes: string | null }>(
      `select sum(pg_column_size(t.*) - 24) as bytes from proofline.${name} as t`,
    )
    content.set(name, Number(rows[0]?.bytes ?? 0))
  }
  return content
}

/** Bytes of each table with its indexes, TOAST and maps. */
async function sizesOf(client: pg.Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ name: string; bytes: string }>(
    `select c.relname as name, pg_total_relation_size(c.oid) as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'proofline' and c.relkind = 'r'`,
  )
  return new Map(rows.map(({ name, bytes }) => [name, Number(bytes)]))
}
