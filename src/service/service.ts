import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { runAbandonment } from '../admission/abandon.ts'
import { createAdmission } from '../admission/admission.ts'
import { createConflicts } from '../admission/conflicts.ts'
import { createContracts } from '../admission/contracts.ts'
import { createLineMaps } from '../admission/line-maps.ts'
import { finishOpenParts } from '../admission/finish.ts'
import { createJudge } from '../admission/judge.ts'
import { createOpenParts } from '../admission/open-parts.ts'
import { createParts } from '../admission/parts.ts'
import { createParsePool } from '../admission/pool.ts'
import { createProduction } from '../admission/production.ts'
import { createRefusals } from '../admission/refusals.ts'
import { createRegistrar } from '../admission/register-contract.ts'
import { createQuotas } from '../admission/quotas.ts'
import { createRunsStore } from '../admission/runs-store.ts'
import { mountArchiving } from './archive-routes.ts'
import { openBooks } from './books.ts'
import type { Config } from '../config.ts'
import { runWorker } from '../database/worker.ts'
import { mountDeciding } from './deciding.ts'
import { startDeliveries } from './deliveries.ts'
import { createEvidenceWatch } from './evidence-watch.ts'
import { openFeed } from './feeding.ts'
import { createHeads } from './heads.ts'
import { mountContracts } from '../http/contracts.ts'
import { mountEvidence } from '../http/evidence.ts'
import { mountKeys } from '../http/keys.ts'
import { mountLog } from '../http/log.ts'
import { mountLogin } from '../http/login.ts'
import { mountOperations } from '../http/operations.ts'
import { mountOrders } from '../http/orders.ts'
import { mountPage } from '../http/page.ts'
import { mountRecords } from '../http/records.ts'
import { mountRuns } from '../http/runs.ts'
import { exposures } from '../http/exposure.ts'
import { createServer } from '../http/server.ts'
import { mountWatch } from '../http/watch.ts'
import { keepBytes } from '../objects/keep-bytes.ts'
import { createArtifacts } from '../objects/objects.ts'
import { proveObjects } from '../objects/open-objects.ts'
import { createTrees } from '../ledger/trees.ts'
import { createWitnessed, witnessedTree } from '../ledger/witnessed.ts'
import { type LedgerName, ledgerKindOf } from '../record/record.ts'
import { ensureFirstToken } from './first-token.ts'
import { openIdentity } from './identity.ts'
import { type KeepingDeps, startKeeping } from './keeping.ts'
import { writeLocalState } from './local-state.ts'
import { openLogin } from './login.ts'
import { openOnRecord } from './on-record.ts'
import { checkOtlpEndpoints } from './otlp-endpoints.ts'
import { openOutside } from './outside.ts'
import { openPacks } from './packs.ts'
import { mountQuestions } from './questions.ts'
import { mountReporting } from './reporting.ts'
import { openSigner } from './signer.ts'
import { ensurePartitions, objectsSettings, openStorage } from './storage.ts'
import { startWatching } from './watching.ts'
import { readPolicy, standingsOf } from './witnessing.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { createCommandRecorder } from '../watch/commands.ts'
import { createOrdering } from '../watch/ordering.ts'
import { closedStatus, readLedgers } from '../watch/status.ts'

export interface Service {
  url: string
  /** What PostgreSQL it stands on, for people. */
  database: string
  tokenFile: string
  /** Why something is not recorded though the service runs, one sentence each: to be shown to whoever started it. */
  warnings: string[]
  /** Reads the certificate of http.tls again. */
  reload(): void
  /** Aborts when it cannot go on: its embedded database is gone. */
  lost: AbortSignal | undefined
  /** Stops taking requests, finishes what is under way, releases everything. Safe to call twice. */
  stop(): Promise<void>
}

/** Builds and starts everything, in this order; whatever was started is stopped again when a later step fails. */
export async function startService(config: Config, version: string): Promise<Service> {
  const started: { name: string; stop: () => Promise<unknown> }[] = []
  await checkOtlpEndpoints(config)
  const telemetry = await startTelemetry({ ...config.telemetry, otlp: config.otlp.length > 0 })
  const { log, metrics } = telemetry
  started.push({ name: 'telemetry', stop: () => telemetry.shutdown() })
  const ending = new AbortController()
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= stopAll())
  const stopAll = async (): Promise<void> => {
    ending.abort()
    for (const { name, stop: end } of started.toReversed()) {
      await end().catch((error: unknown) => log.error('stop.failed', { name, error: String(error) }))
    }
  }
  const keep = <T>(name: string, thing: T, end: (thing: T) => Promise<unknown>): T => {
    started.push({ name, stop: () => end(thing) })
    return thing
  }

  try {
    const policy = await readPolicy(config)
    const storage = keep('storage', await openStorage(config, log, 'service'), (opened) => opened.close())
    const { db, reader, ledgers, generations, objects } = storage
    const artifactsWarning = await proveObjects(objects, config.org)
    const originOf = (ledger: LedgerName): string => `${config.public_host}/${ledger}`
    const signer = keep('signer', await openSigner(config, originOf), (opened) => opened.close())

    const node = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
    const outside = keep('outside', await openOutside(config, policy, originOf), (opened) => opened.close())
    const heads = createHeads({ db, signer, originOf, places: outside.places, folder: join(config.data_dir, 'rollback'), now: () => new Date(), log }) // oxfmt-ignore
    const books = keep('books', await openBooks({ config, storage, signer, originOf, node, version, heads, log, metrics }), (opened) => opened.close()) // oxfmt-ignore
    const { bookOf, operations } = books

    const artifacts = createArtifacts(objects)
    const pool = keep('parse pool', createParsePool(log, config.intake.workers), (opened) => opened.close())
    const openParts = createOpenParts(join(config.data_dir, 'open-parts'))
    const runs = createRunsStore(db, reader)
    const changes = bookOf(generations.now('changes'))
    const contracts = createContracts({ db, reader, ledger: changes.ledger, openArtifact: artifacts.open })
    const keepText = (bytes: Uint8Array) => keepBytes(artifacts, bytes)
    const recordingRefusals = createRefusals({ bookOf, conflicts: createConflicts(db, reader), log })
    const parts = createParts({
      pool,
      bookOf,
      runs,
      openParts,
      objects: objectsSettings(config),
      quotas: createQuotas(db, config.org, {
        artifactBytes: config.intake.max_decoded_bytes,
        repositoryBytesPerDay: config.intake.quota.repository_bytes_per_day,
        totalBytes: config.intake.quota.total_bytes,
      }),
      keep: keepText,
      maxParts: config.intake.max_parts,
      limits: {
        maxDecodedBytes: config.intake.max_decoded_bytes,
        maxRatio: config.intake.max_expansion,
        ratioFreeBytes: 16 * 1_048_576,
        maxLinesPerFile: config.intake.max_lines_per_file,
        maxLines: config.intake.max_lines,
        maxFiles: config.intake.max_files,
      },
    })
    const admission = createAdmission({
      org: config.org,
      db,
      generations,
      bookOf,
      reader,
      runs,
      parts,
      pool,
      lineMaps: createLineMaps({ db, reader, bookOf, keepList: parts.keepList }),
      recordingRefusals,
      judge: createJudge({ contracts, production: createProduction(runs.inventoryOf) }),
      maxInventoryFiles: 1_000_000,
    })
    const finishing = finishOpenParts({ openParts, artifacts, runs, parts, isClosed: (ledger) => generations.closing(ledger) !== undefined, log, signal: ending.signal }) // oxfmt-ignore
    started.push({
      name: 'open parts',
      async stop() {
        await pool.close() // what is not finished by now is finished after the next start
        await finishing
      },
    })
    const ofRuns = ledgers.filter((ledger) => ['unit', 'integration'].includes(ledgerKindOf(ledger)))
    const abandoning = (signal: AbortSignal) => runAbandonment({ db, ledgers: ofRuns, bookOf, runs, log }, signal)
    const abandoned = runWorker('abandonment', abandoning, { org: config.org, db, log, metrics, signal: ending.signal })
    started.push({ name: 'abandonment', stop: () => abandoned })

    const identity = keep('identity', await openIdentity(config, db, log), (opened) => opened.close())
    const tokenFile = await ensureFirstToken(db, config, operations.ledger)
    const onRecord = keep('uses', await openOnRecord({ db, operations, generations: generations.chain(operations.ledger), dataDir: config.data_dir, log }), (opened) => opened.close()) // oxfmt-ignore
    const signIn = keep('login', await openLogin(config, db, onRecord.recordUse, log), (opened) => opened.close())
    const server = await createServer(config.http, {
      authenticate: identity.authenticate,
      sessions: signIn.login,
      recordUse: onRecord.recordUse,
      logPublic: config.log.public,
      log,
      onAnswer: (method, route, status, seconds) => metrics.request(method, route ?? 'none', status, seconds),
    })
    const recordCommand = createCommandRecorder(operations)
    const feeding = keep('feed', await openFeed({ mount: server.mount, db, reader, generations, log, metrics, recordCommand }), (opened) => opened.close()) // oxfmt-ignore
    const witnessed = createWitnessed(db, policy)
    const everyTree = createTrees(db, reader, generations, books.all)
    const treeOf = (ledger: LedgerName) => {
      const tree = everyTree(ledger)
      return tree === undefined ? undefined : witnessedTree(tree, ledger, witnessed)
    }
    const generationBefore = generations.closed.reduce((sum, { signedSize }) => sum + signedSize, 0)
    const readBooks = () => readLedgers(db, reader, [...books.all.values()], generationBefore)
    const signal = ending.signal
    const deliveries = await startDeliveries({ config, db, reader, generations, log, metrics, signal })
    const evidence = createEvidenceWatch({
      db, reader, ofRuns, changes: changes.ledger, runs, contracts, everyMs: config.watch.evidence_every_ms, unsealedMs: config.watch.unsealed_ms, now: () => new Date(),
    }) // oxfmt-ignore
    const keepingDeps: KeepingDeps = {
      config, db, reader, ledgers, generations, treeOf: everyTree, books: books.all, operations, signer, keys: books.keys, objects, recordCommand, originOf, witnessed, shelf: outside.shelf, witnesses: outside.witnesses, heads, findIssuers: () => [...identity.findings(), ...signIn.findings()], destinations: deliveries.destinations, log, metrics, signal,
    } // oxfmt-ignore
    const keeping = await startKeeping(keepingDeps)
    const watching = await startWatching({ config, db, reader, ledgers, generationBefore, operations, deliveries, readLedgers: readBooks, recordCommand, evidence, keeping, ownCertificate: server.certificate, node: { node, host: hostname(), version }, log, metrics, signal }) // oxfmt-ignore

    const { destinations } = deliveries
    const ordering = createOrdering({ org: config.org, db, reader, ledgers, destinations, publicHost: config.public_host, recordCommand, metrics: { duplicates: metrics.duplicatesConfirmed }, now: () => new Date() }) // oxfmt-ignore

    mountRuns(server.mount, admission, config.http.limits)
    const register = createRegistrar({ org: config.org, contracts, book: changes, keep: keepText, recordingRefusals })
    mountContracts(server.mount, { org: config.org, ledger: changes.ledger, contracts, register })
    mountArchiving(server.mount, keepingDeps, keeping.archiving)
    mountRecords(server.mount, { reader, treeOf, openArtifact: artifacts.open })
    mountEvidence(server.mount, openPacks({ org: config.org, db, reader, ledgers: generations.every, treeOf: everyTree, originOf, openArtifact: artifacts.open, signer, witnessed })) // oxfmt-ignore
    mountLog(server.mount, treeOf, config.log.public)
    mountOperations(server.mount, {
      async readStatus() {
        const status = await readBooks()
        const ledgerStatus = status.ledgers.map((one) => ({ ...one }))
        return {
          version,
          org: config.org,
          node,
          database: storage.database,
          ...status,
          ledgers: ledgerStatus,
          closed: closedStatus(generations.closed),
          followers: await deliveries.followers(),
          witnesses: (await standingsOf({ db, ledgers, witnessed })).map((one) => ({ ...one })),
          consumers: await feeding.consumers(),
        }
      },
      listDestinations: deliveries.list,
      listDeadLetters: deliveries.deadLetters,
      operator: deliveries.operator,
      recordCommand,
    })
    mountOrders(server.mount, ordering)
    const subjects = mountQuestions(server.mount, { db, reader, generations, contracts, objects })
    mountReporting(server.mount, { reader, generations, changes, subjects, signer, keep: keepText, openArtifact: artifacts.open }) // oxfmt-ignore
    mountDeciding(server.mount, { db, reader, generations, changes, contracts, runs, subjects, keep: keepText, recordingRefusals }) // oxfmt-ignore
    mountKeys(server.mount, { keys: books.keys, ledgers, guardId: signer.guardId, recordCommand })
    mountWatch(server.mount, { ...watching, recordCommand })
    mountLogin(server.mount, signIn.login)
    mountPage(server.mount, {
      sessions: signIn.login,
      org: config.org,
      version,
      isReady: async () =>
        (await readBooks()).ledgers.every(({ stopped }) => stopped === null) &&
        [...books.all.values()].every(({ publisher }) => !publisher.isDelayed()),
      printMetrics: () => telemetry.prometheus(),
    })
    metrics.setClock(async () => (await readBooks()).emitted_at / 1e6)

    const day = setInterval(
      () =>
        void ensurePartitions(db).catch((error: unknown) => log.error('partitions.failed', { error: String(error) })),
      6 * 3_600_000,
    )
    keep('partitions', day, async () => clearInterval(day))
    keep('deliveries', deliveries, (running) => running.ended())
    keep('keeping', keeping, (running) => running.ended())
    keep('watching', watching, (running) => running.ended())
    const url = await server.listen()
    keep('http', server, (listening) => listening.close())
    pool.warm()
    await writeLocalState({ url, token_file: tokenFile })
    log.info('service.started', { url, node, version, database: storage.database })
    const warnings = [...books.all.values()].flatMap(({ ledger, publisher }) => {
      const stopped = publisher.stopped()
      return stopped === undefined ? [] : [`${ledger} is not recorded to (${stopped.code}): ${stopped.message}`]
    })
    warnings.push(...exposures(config.http))
    if (artifactsWarning !== undefined) warnings.push(artifactsWarning)
    return { url, database: storage.database, tokenFile, warnings, reload: server.reload, lost: storage.lost, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
