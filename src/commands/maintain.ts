import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { printOpenapi } from '../api/openapi.ts'
import { routes } from '../api/routes.ts'
import { type Config, loadConfig, withoutSecrets } from '../config.ts'
import { ledgersOfDecisions, ledgersOfRuns, historyDeps } from '../service/histories.ts'
import { rebuildDecisions } from '../history/decisions.ts'
import { rebuildHistory } from '../history/projection.ts'
import { auditDatabase } from '../ledger/audit-database.ts'
import { openObjects } from '../objects/open-objects.ts'
import { readEnvironment } from '../producer/ci.ts'
import { findDataFolder } from '../producer/find-service.ts'
import { Problem } from '../record/problem.ts'
import { firstGeneration, ledgerKindOf, ledgerLabel } from '../record/record.ts'
import { openStorage, type Storage } from '../service/storage.ts'
import type { AuditResult } from '../verify/audit.ts'
import { printHash } from '../verify/differences.ts'
import { silentLogger } from '../telemetry/logger.ts'
import { type CheckedClosing, checkClosing } from '../recover/check-closing.ts'
import { type ExitCode, type Terminal } from './terminal.ts'
import { insertLocalCommand } from '../watch/local-commands.ts'
import { localCommand } from './local-command.ts'
import { readTrustedKeys } from './trusted-keys.ts'
import { version } from './version.ts'
import { count } from './count.ts'

/** Commands that work on the database and the data folder themselves, with or without a running service. */

export interface MaintainCommand {
  config?: string
  dataDir?: string
}

export async function withStorage<T>(
  options: MaintainCommand,
  work: (storage: Storage, config: Config) => Promise<T>,
  needs: 'data' | 'keys' | 'nothing' = 'nothing',
): Promise<T> {
  const config = await loadLocalConfig(options)
  // Else new ones would be made here, and what they never signed found to be whole.
  if (needs === 'keys' && config.signer.socket === undefined && !existsSync(join(config.data_dir, 'keys'))) {
    throw new Problem(
      'request_invalid',
      `there are no keys in ${config.data_dir}, and nothing is believed but what they signed: bring keys and guard back, or name the data folder with --data-dir, or the signer with signer.socket`,
    )
  }
  // Else an empty database would be made here, and found to be in order.
  if (needs === 'data' && config.database.url === undefined && !existsSync(join(config.data_dir, 'postgres'))) {
    throw new Problem(
      'request_invalid',
      `there is no database in ${config.data_dir}; name the data folder with --data-dir, or the database with DATABASE_URL`,
    )
  }
  const storage = await openStorage(config, silentLogger, 'command')
  try {
    return await work(storage, config)
  } finally {
    await storage.close()
  }
}

/**
 * The configuration; in a folder without data of its own it is that of the service that was started last on this machine: its data, and the
 * proofline.yaml that lies where it was started from. What it was told by other means is not known here.
 */
async function loadLocalConfig({ config: file, dataDir }: MaintainCommand): Promise<Config> {
  const config = loadConfig({ config: file, data_dir: dataDir })
  const isDefault = dataDir === undefined && config.data_dir === resolve('.proofline')
  if (!isDefault || config.database.url !== undefined || existsSync(config.data_dir)) return config
  const { env } = readEnvironment()
  const folder = await findDataFolder(env, process.cwd())
  const beside = join(dirname(folder), 'proofline.yaml')
  const isNamed = env['PROOFLINE_CONFIG'] !== undefined || existsSync('proofline.yaml')
  const found = isNamed || !existsSync(beside) ? undefined : beside
  return loadConfig({ config: file ?? found, data_dir: folder })
}

/** `proofline migrate`: brings the schema up to date; `serve` does the same at its start. */
export async function migrate(options: MaintainCommand, terminal: Terminal): Promise<ExitCode> {
  return withStorage<ExitCode>(options, async ({ database }) => {
    terminal.print({ migrated: true, database }, () => `${database} is up to date`)
    return 0
  })
}

/** `proofline rebuild`: what is derived from the ledgers is dropped and made anew; a service may run meanwhile. */
export async function rebuild(options: MaintainCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const rebuilt = await withStorage(
    options,
    async ({ db, reader, ledgers, generations }, config) => {
      const objects = await openObjects({ folder: join(config.data_dir, 'artifacts'), s3: config.artifacts.s3 })
      try {
        await insertLocalCommand(db, generations.now('operations'), localCommand('history.rebuild', {}))
        const deps = historyDeps(db, reader, objects)
        const done: { ledger: string; size: number }[] = []
        for (const ledger of ledgersOfRuns(ledgers)) {
          terminal.progress(`history of ${ledger}`)
          done.push({ ledger, ...(await rebuildHistory(deps, ledger, signal)) })
        }
        for (const ledger of ledgersOfDecisions(ledgers)) {
          terminal.progress(`history of ${ledger}`)
          done.push({ ledger, ...(await rebuildDecisions(deps, ledger, signal)) })
        }
        return done
      } finally {
        await objects.close()
      }
    },
    'data',
  )
  terminal.print({ rebuilt: { history: rebuilt } }, () =>
    rebuilt.map(({ ledger, size }) => `history of ${ledger}: ${count(size, 'record')}`).join('\n'),
  )
  return signal.aborted ? 3 : 0
}

/** `proofline config`: what is in force, without secrets. */
export async function showConfig(options: MaintainCommand, terminal: Terminal): Promise<ExitCode> {
  const shown = withoutSecrets(loadConfig({ config: options.config, data_dir: options.dataDir }))
  terminal.print(shown, () => JSON.stringify(shown, undefined, 2))
  return 0
}

/** `proofline openapi`: prints the description of the routes, writes it, or tells whether the file is stale. */
export async function openapi(options: { write?: string; check?: string }, terminal: Terminal): Promise<ExitCode> {
  const text = printOpenapi(routes, version())
  if (options.write !== undefined) await writeFile(options.write, text)
  else if (options.check !== undefined) {
    if ((await readFile(options.check, 'utf8')) === text) return 0
    terminal.say(`${options.check} is stale: npm run openapi writes it anew`)
    return 1
  } else await terminal.write(text)
  return 0
}

export interface VerifyDatabaseCommand extends MaintainCommand {
  key?: string[]
  ledger?: string[]
}

/** `proofline verify --database`: every record, leaf hash, tile root, head and checkpoint of every ledger; 1 when anything differs. */
export async function verifyDatabase(
  options: VerifyDatabaseCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  return withStorage(
    options,
    async ({ db, reader, generations }, config) => {
      const keys = await readTrustedKeys(options.key ?? [], config.data_dir)
      const results: AuditResult[] = []
      for (const ledger of generations.every) {
        if (
          options.ledger !== undefined &&
          !options.ledger.includes(ledger) &&
          !options.ledger.includes(ledgerLabel(ledger)) &&
          !options.ledger.includes(firstGeneration(ledger)) &&
          !options.ledger.includes(ledgerKindOf(ledger))
        )
          continue
        const origin = `${config.public_host}/${ledger}`
        const own = keys.filter((key) => key.name === origin)
        results.push(await auditDatabase({ db, reader, ledger, origin, vkeys: own, signal }))
      }
      if (results.length === 0)
        throw new Problem('request_invalid', `--ledger names none of the ledgers ${generations.every.join(', ')}`)
      const shown = await Promise.all(
        results.map(async ({ edge: _edge, root, ...rest }) => {
          const closing = generations.closing(rest.ledger)
          const closed = closing === undefined ? undefined : await checkClosing(db, reader, closing)
          const end = closing === undefined ? rest.size : closing.size
          return {
            origin: `${config.public_host}/${rest.ledger}`,
            ...rest,
            root: root === undefined ? null : printHash(root),
            ...(closed === undefined ? {} : { closed }),
            // Behind where it was closed there may be records whose checkpoint is lost.
            verified: rest.differences.length === 0 && rest.signed === end && closed?.wrong === undefined,
          }
        }),
      )
      const clean = shown.every(({ verified }) => verified)
      terminal.print({ verified: clean, ledgers: shown }, () => shown.map(describeAudit).join('\n'))
      return clean ? 0 : 1
    },
    'data',
  )
}

/** One line of a ledger: what class of difference the first one is, where, what was expected and what was found. */
function describeAudit({ ledger, origin, size, signed, expired, differenceCount, differences, closed }: Omit<AuditResult, 'edge' | 'root'> & { origin: string; closed?: CheckedClosing }): string {
  const [first] = differences
  const gone = expired === 0 ? '' : `; ${expired} of them are gone, their retention having passed, and proved by their leaf hashes`
  const ended = closed === undefined ? '' : `; ${closed.text}`
  if (closed?.wrong !== undefined) return `DIFFERS ${ledger}: ${closed.text}: ${closed.wrong}`
  if (first === undefined && (signed === size || closed?.size === signed)) return `ok      ${ledger}: ${count(size, 'record')}, signed to ${signed}${gone}${ended}`
  if (first === undefined) return `UNSIGNED ${ledger}: ${count(size, 'record')}, ${signed < 0 ? 'and no checkpoint by a key that is known here' : `signed to ${signed}`}` // oxfmt-ignore
  const { kind, seq, expected, found } = first
  return `DIFFERS ${ledger}: ${differenceCount} differences in ${origin}; first at ${seq}: ${kind}: expected ${expected}, found ${found}`
} // oxfmt-ignore
