import { afterAll, describe, expect, it } from 'vitest'
import type { Logger } from '../../src/telemetry/logger.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { modesOf } from '../support/fail-modes.ts'
import { startFakeHec } from '../support/hec.ts'
import { setUpCases } from './cases.ts'
import { elasticSettings, splunkSettings } from './lane.ts'

const { deliver, database } = setUpCases()
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const hecToken = 'a1b2c3d4-hec-token-0000-111122223333'
const searchToken = 'search.token.of-the-management-port'
const apiKey = 'ZWxhc3RpYy1hcGkta2V5OnZlcnktc2VjcmV0LWtleQ=='

/** Everything that tables hold, log lines say and metrics are labelled with. */
async function everythingTold(lines: readonly unknown[]): Promise<string> {
  const { rows: tables } = await database().owner.query<{ name: string }>({
    text: `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'proofline%'`,
  })
  const stored: unknown[] = []
  for (const { name } of tables)
    stored.push((await database().owner.query({ text: `select t::text from ${name} as t` })).rows)
  return JSON.stringify([stored, lines])
}

describe('secrets', () => {
  it('case 52: are in no row, log line or label, even where a proxy sends back what it was sent', async () => {
    const hec = await startFakeHec({ token: hecToken, searchToken })
    const bulk = await startFakeBulk({ apiKey })
    closing.push(hec.close, bulk.close)
    const echo = (header: string): string => `<pre>POST / HTTP/1.1\r\nAuthorization: ${header}\r\n</pre>`
    hec.answerNext(500, echo(`Splunk ${hecToken}`))
    hec.answerNext(403, { text: `no such token: Splunk ${hecToken}`, code: 4 })
    hec.answerNext(307, `token ${hecToken}`, { location: `http://elsewhere.example/${hecToken}` })
    bulk.answerNext(502, echo(`ApiKey ${apiKey}`))
    bulk.answerNext(400, echo(`ApiKey ${apiKey}`))
    bulk.answerNext(500, { key: apiKey })
    bulk.answerNext(401, { error: { type: 'security_exception', reason: `bad: ApiKey ${apiKey}` }, status: 401 })
    for (const mode of modesOf({ by: 'hec' }).filter((one) => !/endless|timeout|late/.test(one))) hec.failNext(mode)
    for (const mode of modesOf({ by: 'bulk' }).filter((one) => !/endless|timeout|late/.test(one))) bulk.failNext(mode)
    const lines: unknown[] = []
    const say =
      (level: string) =>
      (...line: unknown[]): void =>
        void lines.push([level, ...line])
    const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') } as unknown as Logger
    const metrics = { settled: say('settled'), state: say('state'), progress: say('progress') }
    const few = { batch: { records: 4, bytes: 524_288 } }
    const both = await Promise.all([
      deliver(splunkSettings(hec, few), { log, metrics }),
      deliver(elasticSettings(bulk, few), { log, metrics }),
    ])
    for (const { until } of both) await until(({ provedTo }) => provedTo === 60)
    for (const { lane } of both) await lane.stop()
    const told = await everythingTold(lines)
    expect(told.length).toBeGreaterThan(10_000)
    expect(told).toContain('[secret]') // of what came back it is known that something was left out
    expect([hecToken, searchToken, apiKey].filter((secret) => told.includes(secret))).toEqual([])
  })
})
