import { dirname, join, resolve } from 'node:path'
import { loadConfig } from '../config.ts'
import { Problem } from '../record/problem.ts'
import { assertPrivate } from '../signing/private-folder.ts'
import { serveSigner } from '../signing/serve-signer.ts'
import { openLocalSigner } from '../service/signer.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface SignerCommand {
  config?: string
  dataDir?: string
  publicHost?: string
  socket?: string
  socketMode?: string
}

/**
 * `proofline signer`: the keys and the guard behind a Unix socket, for several nodes. It neither opens nor loads the database, so that it can
 * run as a user of its own: then whoever owns the database, and the service, cannot fork the log.
 */
export async function signer(options: SignerCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { config: file, dataDir, publicHost, socketMode } = options
  const config = loadConfig({
    config: file,
    data_dir: dataDir,
    public_host: publicHost,
    signer_socket_mode: socketMode,
  })
  const socket = options.socket ?? config.signer.socket
  if (socket === undefined)
    throw new Problem('request_invalid', 'say where to listen: --socket PATH, or signer.socket in the configuration')
  for (const name of ['', 'keys', 'guard']) await assertPrivate(join(config.data_dir, name), 'the data folder')
  await assertPrivate(dirname(resolve(socket)), 'the folder of the socket')
  const opened = await openLocalSigner(config, (ledger) => `${config.public_host}/${ledger}`)
  try {
    const mode = config.signer.socket_mode === '0660' ? 0o660 : 0o600
    const server = await serveSigner(opened, socket, signal, mode)
    terminal.print(
      { socket, guard: await opened.guardId() },
      () => `The signer listens at ${socket}; set PROOFLINE_SIGNER_SOCKET=${socket} for every node`,
    )
    await server.closed
    return 0
  } finally {
    await opened.close()
  }
}
