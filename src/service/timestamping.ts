import { readFile } from 'node:fs/promises'
import { ConfigError } from '../config.ts'
import { durationMs } from '../delivery/duration.ts'
import type { Keeper } from './keeping.ts'
import { openAsker } from '../vouching/ask.ts'
import { type Authority, runTimestamps } from '../vouching/run-timestamps.ts'
import { vouchingOf } from '../vouching/vouching-store.ts'
import { printTime } from '../record/record.ts'

/** Lets the authorities of `timestamps` stamp checkpoints. */
export const keepTimestamps: Keeper = async ({ config, db, ledgers, log, signal }, work) => {
  const { authorities: configured, every, ...settings } = config.timestamps
  if (configured.length === 0) return async () => []
  const authorities: Authority[] = []
  for (const { url, ca_file, tls_ca_file } of configured) {
    const readCa = (): Promise<string> => readFile(ca_file, 'utf8')
    await readCa().catch((error: unknown) => {
      throw new ConfigError(
        `timestamps.authorities: ca_file: ${error instanceof Error ? error.message : String(error)}`,
      )
    })
    const asker = await openAsker(new URL(url).origin, { ...settings, ca_file: tls_ca_file })
    authorities.push({ url, asker, readCa })
  }
  const now = (): Date => new Date()
  work('timestamps', (ending) =>
    runTimestamps({ db, authorities, ledgers, everyMs: durationMs(every), now, log }, ending),
  )
  signal.addEventListener('abort', () => void Promise.all(authorities.map(({ asker }) => asker.close())), {
    once: true,
  })
  const names = new Set(configured.map(({ url }) => url))
  return async () => {
    const failing = (await vouchingOf(db, ledgers, 'authority')).filter(({ name }) => names.has(name))
    return failing.flatMap(({ ledger, name, failingSince, detail }) => {
      if (failingSince === null) return []
      const said = `no time-stamp since ${printTime(failingSince)}: ${detail}`
      return [{ code: 'witness_silent' as const, subject: `${name} ${ledger}`, detail: said }]
    })
  }
}
