import { Readable } from 'node:stream'
import { afterEach } from 'vitest'
import { type Principal, type Scope, may, scopes } from '../../src/access/principal.ts'
import type { Admission } from '../../src/admission/admission.ts'
import type { RegisteredContract } from '../../src/admission/contracts.ts'
import { createFeed } from '../../src/answers/feed.ts'
import { createCursors } from '../../src/answers/position.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import { contractDigest, parseContract } from '../../src/contract/contract.ts'
import type { Status } from '../../src/api/operations.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { mountContracts } from '../../src/http/contracts.ts'
import { mountDecisions } from '../../src/http/decisions.ts'
import { mountArchive } from '../../src/http/archive.ts'
import { mountConsumers } from '../../src/http/consumers.ts'
import { mountDays } from '../../src/http/days.ts'
import { mountDifference } from '../../src/http/difference.ts'
import { mountEvidence } from '../../src/http/evidence.ts'
import { mountFeed } from '../../src/http/feed.ts'
import { mountGaps } from '../../src/http/gaps.ts'
import { mountHistory } from '../../src/http/history.ts'
import { mountLineage } from '../../src/http/lineage.ts'
import { mountKeys } from '../../src/http/keys.ts'
import { mountLog } from '../../src/http/log.ts'
import { type Login, mountLogin } from '../../src/http/login.ts'
import type { Use } from '../../src/http/mount.ts'
import { mountOperations } from '../../src/http/operations.ts'
import { mountOrders } from '../../src/http/orders.ts'
import { mountPage } from '../../src/http/page.ts'
import { mountReports } from '../../src/http/reports.ts'
import { mountRecords } from '../../src/http/records.ts'
import { mountWatch } from '../../src/http/watch.ts'
import { mountRuns } from '../../src/http/runs.ts'
import { type HttpServer, createServer } from '../../src/http/server.ts'
import { httpSettings } from '../../src/http/settings.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { Problem } from '../../src/record/problem.ts'
import type { LogFields, Logger } from '../../src/telemetry/logger.ts'
import type { PackScope } from '../../src/verify/pack-format.ts'
import type { Command } from '../../src/watch/commands.ts'
import { type FakeReader, createFakeReader } from '../answers/fake-reader.ts'

/** The real server on a real socket, over fakes in memory. Tokens are words: `Bearer push` has the scope push, and so on. */
export interface Served {
  url: string
  port: number
  reader: FakeReader
  uses: Use[]
  commands: Command[]
  logged: { level: string; event: string; fields: LogFields }[]
  admitted: unknown[][]
  close(): Promise<void>
  fetch(path: string, init?: RequestInit & { token?: string; duplex?: 'half' }): Promise<Response>
}

export interface ServeOptions {
  limits?: Record<string, number>
  settings?: Record<string, unknown>
  admission?: Partial<Admission>
  logPublic?: boolean
  ready?: () => Promise<boolean>
  status?: () => Promise<Status>
  openArtifact?: (sha256: string) => Promise<Readable | undefined>
  recordUse?: (use: Use) => Promise<void>
  login?: Login | undefined
  earliest?: number
  now?: () => Date
}

export const aVkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
export const artifactDigest = 'ab'.repeat(32)

const text = 'version: 1\nrefs: [refs/heads/main]\n'
export const aContract: RegisteredContract = {
  repository: 'github.com/acme/payments',
  contract_version: 1,
  contract: contractDigest(parseContract(text)),
  parent: null,
  by: { method: 'token', subject: 'token:push' },
  id: 'main.changes-7-0123456789abcdef',
  seq: 7,
  recorded_at: '2026-11-23T05:00:00.000000Z',
  text,
  parsed: parseContract(text),
}

function principalOf(authorization: string | undefined): Principal | undefined {
  const [, name = '', repository] = /^Bearer ([a-z_]+)(?:@(.+))?$/.exec(authorization ?? '') ?? []
  const held = name === 'all' ? scopes : scopes.filter((scope) => scope === name)
  if (held.length === 0) return undefined
  const base = { org: 'main', id: `token:${name}`, method: 'token', scopes: new Set<Scope>(held) } as const
  return repository === undefined ? base : { ...base, repositories: [repository] }
}

/** For a file of tests: starts servers, which end after each test. */
export function servers(): (options?: ServeOptions) => Promise<Served> {
  const open: Served[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((served) => served.close()))
  })
  return async (options) => {
    const served = await serve(options)
    open.push(served)
    return served
  }
}

export async function serve(options: ServeOptions = {}): Promise<Served> {
  const reader = createFakeReader()
  const uses: Use[] = []
  const commands: Command[] = []
  const logged: Served['logged'] = []
  const admitted: unknown[][] = []
  const note =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void logged.push({ level, event, fields })
  const log: Logger = { info: note('info'), warn: note('warn'), error: note('error') }
  const settings = httpSettings.parse({
    port: 0,
    limits: { refusals_per_minute: 10_000, check_ms: 50, ...options.limits },
    ...options.settings,
  })
  const logPublic = options.logPublic ?? false
  const server: HttpServer = await createServer(settings, {
    authenticate: async (authorization) => principalOf(authorization),
    sessions: options.login,
    recordUse: options.recordUse ?? (async (use) => void uses.push(use)),
    logPublic,
    log,
    ...(options.now === undefined ? {} : { now: options.now }),
  })

  const answer =
    (what: string) =>
    async (...given: unknown[]) => {
      admitted.push([what, ...given])
      for (const value of [
        given[2],
        (given[2] as { body?: unknown })?.body,
        (given[2] as { part?: { body?: unknown } })?.part?.body,
      ]) {
        if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value)
          for await (const _ of value as AsyncIterable<Uint8Array>);
      }
      return { created: true, answer: { what } }
    }
  const admission = {
    declare: answer('declare'),
    addInventory: answer('addInventory'),
    addLineMaps: answer('addLineMaps'),
    addPart: answer('addPart'),
    close: answer('close'),
    push: answer('push'),
    ...options.admission,
  } as unknown as Admission // the fakes answer less than the real shapes hold; the routes pass answers on as they are
  mountRuns(server.mount, admission, settings.limits)
  mountContracts(server.mount, {
    org: 'main',
    ledger: 'main/changes',
    contracts: {
      contractAt: async () => ({ own: aContract, org: undefined, effective: aContract.parsed }),
      list: async () => [aContract],
      find: async () => aContract,
      committedSeq: async () => aContract.seq,
      withDigest: async (sha256) => (sha256 === aContract.contract ? [aContract] : []),
    },
    register: async () => ({ created: true, registered: aContract }),
  })

  const cursors = createCursors(new Uint8Array(32).fill(3))
  const generations = createGenerations('main', [])
  mountFeed(
    server.mount,
    createFeed({ reader, cursors, earliest: async () => options.earliest ?? 0, generations }),
    cursors,
  )
  const tree = {
    checkpoint: async () =>
      (await reader.published('main/unit')) === undefined ? undefined : 'localhost/main/unit\n1\nroot=\n',
    tile: async (level: number, index: number, width: number) =>
      level === 0 && index === 0 && width <= 3 ? new Uint8Array(32 * width).fill(9) : undefined,
    entries: async (index: number, width: number) =>
      index === 0 && width <= 3 ? new Uint8Array(2_000).fill(width) : undefined,
    proof: async (seq: number) => `c2sp.org/tlog-proof@v1\nindex ${seq}\n`,
  }
  const treeOf = (ledger: string) => (['main/unit', 'main/unit/2'].includes(ledger) ? tree : undefined)
  const openArtifact =
    options.openArtifact ??
    (async (sha256) => (sha256 === artifactDigest ? Readable.from([Buffer.from('TN:\n')]) : undefined))
  mountRecords(server.mount, { reader, treeOf, openArtifact })
  const aDay = { day: '2028-02-29', first: 0, next: 3, lastTime: 0, root: Buffer.alloc(32), manifest: Buffer.alloc(32), bytes: 9, repositories: [], expired: false } // oxfmt-ignore
  mountDays(
    server.mount,
    {
      list: async () => [aDay],
      find: async () => ({ tag: '"a"', open: async () => Readable.from([Buffer.from('{}')]) }),
    },
    generations,
  )
  const aHold = { hold: 'hold-1', repository: 'acme', path: null, from: null, to: null, reason: 'x', ticket: 'T-1', byWhom: 'operate', at: 0, askedBy: null, askedReason: null, releasedBy: null, releasedAt: null, days: 0 } // oxfmt-ignore
  const anArchive = {
    retention: { online: 15, kept: 36, detach: true, expire: false },
    ledgers: [],
    months: [],
    failures: [],
  }
  mountArchive(server.mount, {
    status: async () => anArchive,
    run: async () => {},
    holds: { add: async () => aHold, list: async () => [aHold], release: async () => aHold },
    recordCommand: async (command) => void commands.push(command),
  })
  const scope = { question: { from: '2026-11-01', to: '2026-12-01' }, org: 'main', as_of: 'unit:3' }
  mountEvidence(server.mount, async () => ({ scope: scope as PackScope, stream: Readable.from([Buffer.from('PK')]) }))
  mountHistory(server.mount, { lines: nothingKnown, files: nothingKnown }, generations)
  mountDifference(server.mount, nothingKnown, generations)
  mountConsumers(server.mount, {
    list: async () => [],
    forget: async (consumer, record) => (consumer === 'retired' ? (await record(), true) : false),
    recordCommand: async (command) => void commands.push(command),
  })
  mountLineage(server.mount, nothingKnown, generations)
  mountReports(server.mount, {
    answers: { coverage: nothingKnown, period: nothingKnown },
    issue: nothingKnown,
    find: async (sha256) =>
      sha256 === artifactDigest
        ? { repository: 'github.com/acme/payments', type: 'application/json', bytes: Buffer.from('{}') }
        : undefined,
    generations,
  })
  mountGaps(server.mount, { gaps: nothingKnown, repositories: nothingKnown }, generations)
  mountLog(server.mount, treeOf, logPublic)
  mountOperations(server.mount, {
    readStatus:
      options.status ??
      (async () => ({ version: '0', org: 'main', as_of: '', ledgers: [], followers: [], consumers: [] })),
    listDestinations: async () => [],
    listDeadLetters: async ({ limit }) => ({ dead_letters: [], next: String(limit) }),
    operator: {
      settingsOf: (name) => {
        if (name !== 'siem') throw new Problem('not_found', `there is no destination ${name}`)
        return destinationSettings.parse({ type: 'elastic', url: 'http://127.0.0.1:9' })
      },
      hold: async () => true,
      setUp: async () => ({ flavour: 'opensearch', version: '3.0.0', requests: [], notes: [] }),
      check: async () => [],
    },
    recordCommand: async (command) => void commands.push(command),
  })
  const given =
    (what: string, answered: object) =>
    async (...told: unknown[]) => {
      admitted.push([what, ...told])
      const csv = told.find((one) => typeof one === 'object' && one !== null && Symbol.asyncIterator in one)
      if (csv !== undefined) for await (const _ of csv as AsyncIterable<Uint8Array>);
      return answered as never
    }
  mountOrders(server.mount, {
    retry: given('retry', { decided: 1, left: 0 }),
    discard: given('discard', { decided: 1, left: 0 }),
    redeliver: given('redeliver', { orders: [], records: 0, left: 0 }),
    lookup: given('lookup', []),
    settle: given('settle', { rows: 0, ledgers: [] }),
    estimate: given('estimate', { keeps: undefined, ledgers: [] }),
    moved: given('moved', { address: 'siem:8088', cluster: null, changed: true }),
  })
  const anAlert = { alert: 'disk_low:data', n: 2, severity: 'high',
    owner: 'operator',
    playbook: 'docs/playbooks/disk_low.md',
    code: 'disk_low', subject: 'data', state: 'acknowledged', detail: '', by: 'x', at: '' } as const // oxfmt-ignore
  const aDrill = { destination: 'siem', ledger: 'main/unit', n: 1, state: 'holding', started_at: '', measure_at: '', hold_until: '', why: '', by: '', verdict: null, reason: null, boundary: null, to: null, paused: null, resumed: null } as const // oxfmt-ignore
  mountWatch(server.mount, {
    recordCommand: async (command) => void commands.push(command),
    reconcile: async (_, record) => record().then(() => []),
    comparisons: async () => [],
    alerts: async () => [anAlert],
    acknowledge: async () => anAlert,
    drills: { begin: async (_, __, ___, record) => record().then(() => aDrill), list: async () => [aDrill] },
  })
  const kept = { of: 'main/unit', key: parseVkey(aVkey), recordedAt: 0, state: 'signing' } as const
  mountKeys(server.mount, {
    keys: {
      list: async () => [kept],
      rotate: async () => ({ changed: true, keys: [kept] }),
      retire: async () => ({ changed: true, keys: [kept] }),
    },
    ledgers: ['main/unit'],
    guardId: async () => '0'.repeat(32),
    recordCommand: async (command) => void commands.push(command),
  })
  const aDecision = {
    ledger: 'main/changes',
    seq: 9,
    recordedAt: 0,
    id: 'main.changes-9-0123456789abcdef',
    fields: {},
  } as never
  mountDecisions(server.mount, {
    decide: async () => ({ created: true, gate: aDecision, override: undefined }),
    override: async ({ repositories }) => {
      if (repositories !== undefined) throw new Problem('not_found', 'there is no such gate')
      return { created: true, override: aDecision }
    },
    deploy: async () => ({ created: true, recorded: aDecision }),
    dispose: async (who, { repository }) => {
      if (!may(who, 'audit', { repository }) && !may(who, 'operate', { repository })) throw new Problem('forbidden', '')
      return { created: true, recorded: aDecision }
    },
    list: async () => ({ as_of: 'changes:1', rules: 'decisions@1', rows: [], has_more: false }),
  })
  mountLogin(server.mount, options.login)
  mountPage(server.mount, {
    sessions: options.login,
    org: 'main',
    version: '0.1.0',
    isReady: options.ready ?? (async () => true),
    printMetrics: async () => 'up 1\n',
  })

  const url = await server.listen()
  return {
    url,
    port: Number(new URL(url).port),
    reader,
    uses,
    commands,
    logged,
    admitted,
    close: () => server.close(),
    fetch: (path, { token, ...init } = {}) => {
      const headers = new Headers(init.headers)
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
      return fetch(`${url}${path}`, { ...init, headers })
    },
  }
}

export const declaration = {
  repository: 'github.com/acme/payments',
  test_type: 'unit',
  suite: 'api',
  commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
} as const

export const run = 'github.7351001.api.unit'

/** Writes raw bytes to the server and answers all that comes back until the connection ends. */
export async function raw(
  port: number,
  bytes: string | Buffer,
  options: { halfClose?: boolean } = {},
): Promise<string> {
  const { connect } = await import('node:net')
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.write(bytes)
  if (options.halfClose === true) socket.end()
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer)
  } catch {
    // a reset after the answer is an end too
  }
  return Buffer.concat(chunks).toString()
}

async function nothingKnown(): Promise<never> {
  throw new Problem('not_found', 'no run of this repository has ended')
}
