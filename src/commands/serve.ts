import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../config.ts'
import { startService } from '../service/service.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { version } from './version.ts'

export interface ServeCommand {
  config?: string
  dataDir?: string
  host?: string
  port?: string
  publicHost?: string
}

/** `npx` finds what is installed; for a checkout of this project it has to be told where. */
function npx(): string {
  const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
  return /[\\/]node_modules[\\/]/.test(root) ? 'npx' : `npx --prefix ${root}`
}

const flagsOf = ({ config, dataDir, host, port, publicHost }: ServeCommand) => ({
  config,
  data_dir: dataDir,
  host,
  port,
  public_host: publicHost,
})

/** `proofline serve`: runs until the signal aborts, then stops everything. */
export async function serve(options: ServeCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const config = loadConfig(flagsOf(options))
  const service = await startService(config, version())
  terminal.print(
    { url: service.url, database: service.database, data_dir: config.data_dir, token_file: service.tokenFile },
    () =>
      [
        `Proofline ${version()} listens at ${service.url}`,
        `  database   ${service.database}`,
        `  data       ${config.data_dir}`,
        `  token      ${existsSync(service.tokenFile) ? service.tokenFile : 'made on another node, or moved; another one: proofline token create'}`,
        '',
        'Next, in a git checkout with a coverage report:',
        `  ${npx()} proofline push coverage/lcov.info --test-type unit --tests total,passed,failed,skipped`,
      ].join('\n'),
  )
  for (const warning of service.warnings) terminal.say(`WARNING ${warning}`)
  // Without TLS there is nothing to reload, and a terminal that is closed ends what runs in it, as ever.
  if (config.http.tls !== undefined) process.on('SIGHUP', service.reload)
  const ending = service.lost === undefined ? signal : AbortSignal.any([signal, service.lost])
  await new Promise<void>((resolve) => {
    if (ending.aborted) resolve()
    else ending.addEventListener('abort', () => resolve(), { once: true })
  })
  terminal.say(signal.aborted ? 'stopping' : 'the embedded database is gone: stopping; start again')
  process.off('SIGHUP', service.reload)
  await service.stop()
  return signal.aborted ? 0 : 4
}
