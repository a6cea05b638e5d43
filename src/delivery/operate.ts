import { setTimeout as sleep } from 'node:timers/promises'
import { ledgersOf } from './select.ts'
import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerKindOf } from '../record/record.ts'
import { checkElastic } from './check-elastic.ts'
import { checkSplunk } from './check-splunk.ts'
import { openElasticAdmin } from './elastic-admin.ts'
import { insertPauses } from './pauses.ts'
import { tokensOf } from './open-destination.ts'
import { type Step, checkConnection, createSteps } from './preflight.ts'
import { type SetupReport, setUpElastic } from './set-up.ts'
import type { DestinationSettings, ElasticSettings, SplunkSettings } from './settings.ts'
import { createSplunkSearch } from './splunk-search.ts'
import { outgoingOf, tokenOf } from './wire.ts'

/** What people do to a destination. Nothing here is retried, and nothing of it touches attempts. */
export interface Operator {
  /** Throws Problem not_found. */
  settingsOf(name: string): DestinationSettings
  /** Holds all ledgers of a destination, or lets them go on; heeded by every node within a second. Answers whether anything changed. */
  hold(name: string, paused: boolean, reason: string, byWhom: string): Promise<boolean>
  /** See setUpElastic. Throws Problem request_invalid for a Splunk. */
  setUp(name: string, beforeChange: (() => Promise<void>) | undefined, signal: AbortSignal): Promise<SetupReport>
  check(name: string, waitMs: number, signal: AbortSignal): Promise<Step[]>
}

export interface OperateDeps {
  db: Queryable
  destinations: Readonly<Record<string, DestinationSettings>>
  ledgers: readonly LedgerName[]
  publicHost: string
  now: () => Date
}

export function createOperator({ db, destinations, ledgers, publicHost, now }: OperateDeps): Operator {
  const settingsOf = (name: string): DestinationSettings => {
    const settings = Object.hasOwn(destinations, name) ? destinations[name] : undefined
    if (settings === undefined) throw new Problem('not_found', `there is no destination ${name}`)
    return settings
  }

  return {
    settingsOf,

    async hold(name, paused, reason, byWhom) {
      const kinds = ledgersOf(settingsOf(name))
      const own = ledgers.filter((ledger) => kinds.includes(ledgerKindOf(ledger)))
      const changed = await insertPauses(db, name, own, { at: now().getTime() * 1000, paused, reason, byWhom })
      return changed.length > 0
    },

    async setUp(name, beforeChange, signal) {
      const settings = settingsOf(name)
      if (settings.type === 'splunk') {
        const detail = `${name} is a Splunk: its indexes and tokens are made there (docs/delivery.md); \`destinations check\` says what is missing`
        throw new Problem('request_invalid', detail)
      }
      const admin = await openElasticAdmin(settings, {}, signal)
      return setUpElastic(admin, settings, beforeChange).finally(() => admin.close())
    },

    async check(name, waitMs, signal) {
      const settings = settingsOf(name)
      const steps = createSteps()
      const deps = { publicHost, now, waitMs, sleep: (ms: number) => sleep(ms, undefined, { signal }) }
      if (!(await checkConnection(steps, settings.type === 'splunk' ? 'collector' : 'server', settings, now())))
        return steps.list
      if (settings.type === 'splunk') await checkCollector(settings)
      else await checkCluster(settings)
      return steps.list

      async function checkCluster(elastic: ElasticSettings): Promise<void> {
        const admin = await openElasticAdmin(elastic, {}, signal)
        await checkElastic(steps, admin, elastic, deps).finally(() => admin.close())
      }

      async function checkCollector(splunk: SplunkSettings): Promise<void> {
        const { search: at } = splunk
        const tokens = await tokensOf(splunk)
        const isReached = at === undefined || (await checkConnection(steps, 'management', at, now()))
        const searchToken = at === undefined ? undefined : await tokenOf('search.token', at.token, at.token_file)
        const outgoing = await outgoingOf(splunk, 2, splunk.compression)
        const search =
          at === undefined || searchToken === undefined || !isReached
            ? undefined
            : createSplunkSearch(await outgoingOf(at, 1, 'none'), searchToken, at.timeout_ms)
        try {
          await checkSplunk(steps, { ...deps, outgoing, tokens, search, settings: splunk, signal })
        } finally {
          await Promise.all([outgoing.close(), search?.close()])
        }
      }
    },
  }
}
