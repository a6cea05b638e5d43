import { join } from 'node:path'
import type { Config } from '../config.ts'
import { statementKeyName } from '../log/statement.ts'
import type { LedgerName } from '../record/record.ts'
import { createCommandSigner } from '../signing/command.ts'
import { createGuard } from '../signing/guard.ts'
import { createKeys } from '../signing/keys.ts'
import { connectSigner } from '../signing/remote.ts'
import { type Signer, createSigner } from '../signing/signer.ts'

export interface OpenSigner extends Signer {
  close(): Promise<void>
}

/** The signer of this node: the one behind `signer.socket`, which several nodes share, or its own over the data folder. */
export async function openSigner(config: Config, origin: (ledger: LedgerName) => string): Promise<OpenSigner> {
  const { socket } = config.signer
  if (socket !== undefined) {
    const remote = connectSigner(socket)
    return { ...remote, close: async () => remote.close() }
  }
  return openLocalSigner(config, origin)
}

/** Keys and guard of the data folder. Throws when another process holds the guard. */
export async function openLocalSigner(config: Config, origin: (ledger: LedgerName) => string): Promise<OpenSigner> {
  const { command, command_timeout_ms: timeoutMs } = config.signer
  const guard = await createGuard(join(config.data_dir, 'guard'))
  const keys = createKeys({
    folder: join(config.data_dir, 'keys'),
    originOf: origin,
    statementName: statementKeyName(config.public_host, config.org),
    external: command === undefined ? undefined : createCommandSigner({ command, timeoutMs }),
  })
  const signer = createSigner({ keys, guard, origin })
  return { ...signer, close: async () => guard.close() }
}
