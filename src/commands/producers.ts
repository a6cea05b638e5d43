import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createProducers } from '../access/producers.ts'
import type { ProducerRow } from '../access/producer-store.ts'
import { LogError } from '../log/log-error.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import { putOnce } from '../signing/key-files.ts'
import { insertLocalCommand } from '../watch/local-commands.ts'
import { localCommand } from './local-command.ts'
import { type MaintainCommand, withStorage } from './maintain.ts'
import { printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline key producer`: like tokens on the database itself. A private key that is made here is shown, or written, once. */

export interface CreateProducer extends MaintainCommand {
  label?: string
  repository: string[]
  days?: number
  publicKey?: string
  out?: string
}

export async function createProducer(options: CreateProducer, terminal: Terminal): Promise<ExitCode> {
  const { label = 'producer', repository: repositories, days, publicKey: file, out } = options
  if (file !== undefined && out !== undefined)
    throw new Problem('request_invalid', '--out is for the private key, which stays where --public-key comes from')
  const publicKey = file === undefined ? undefined : await readPublicKey(file)
  return withStorage<ExitCode>(options, async ({ db, generations }, { org }) => {
    const wish = {
      org,
      label,
      repositories,
      ...(days === undefined ? {} : { days }),
      ...(publicKey === undefined ? {} : { publicKey }),
    }
    const { privateKey, producer } = await db
      .transaction(async (tx) => {
        const made = await createProducers(tx).create(wish)
        const { id, public_key, repositories: held, expires_at } = describe(made.producer)
        const fields = { producer: id, public_key, repositories: held, expires_at }
        await insertLocalCommand(tx, generations.now('operations'), localCommand('producer.create', fields))
        // Before it is believed: where the file cannot be written there is no producer whose key nobody has.
        if (made.privateKey !== undefined && out !== undefined) await writeKey(out, made.privateKey)
        return made
      })
      .catch((cause: unknown) => {
        if (cause instanceof LogError) throw new Problem('request_invalid', cause.message, { cause })
        throw cause
      })
    const shown = out === undefined ? privateKey : undefined
    terminal.print({ ...describe(producer), private_key: shown }, () => shown ?? `producer ${producer.id}`)
    return 0
  })
}

export async function listProducers(options: MaintainCommand, terminal: Terminal): Promise<ExitCode> {
  return withStorage<ExitCode>(options, async ({ db }, { org }) => {
    const producers = (await createProducers(db).list(org)).map(describe)
    terminal.print({ producers }, () =>
      printTable([
        ['id', 'label', 'repositories', 'expires', 'revoked'],
        ...producers.map((one) => [
          one.id,
          one.label,
          one.repositories.join(','),
          one.expires_at,
          one.revoked_at ?? '',
        ]),
      ]),
    )
    return 0
  })
}

export async function revokeProducer(options: MaintainCommand & { id: string }, terminal: Terminal): Promise<ExitCode> {
  return withStorage<ExitCode>(options, async ({ db, generations }, { org }) => {
    const revoked = await db.transaction(async (tx) => {
      const done = await createProducers(tx).revoke(org, options.id)
      const command = localCommand('producer.revoke', { producer: options.id })
      if (done) await insertLocalCommand(tx, generations.now('operations'), command)
      return done
    })
    terminal.print({ revoked }, () =>
      revoked ? `${options.id} is revoked` : `there is no valid producer ${options.id}`,
    )
    return revoked ? 0 : 1
  })
}

function describe({ id, label, publicKey, repositories, createdAt, expiresAt, revokedAt }: ProducerRow) {
  return {
    id,
    label,
    repositories,
    public_key: publicKey.toString('base64'),
    created_at: printTime(createdAt),
    expires_at: printTime(expiresAt),
    ...(revokedAt === null ? {} : { revoked_at: printTime(revokedAt) }),
  }
}

/** A name that is taken is refused: a key that lies there may be in use. */
async function writeKey(file: string, key: string): Promise<void> {
  await putOnce(file, `${key}\n`, 0o600)
  if ((await readFile(file, 'utf8')) !== `${key}\n`)
    throw new Problem('request_invalid', `${file} is there already; no key was made`)
}

async function readPublicKey(file: string): Promise<Uint8Array> {
  const pem = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')
  try {
    if (!/BEGIN PUBLIC KEY/.test(pem)) throw new Error('it is none')
    const { kty, crv, x = '' } = createPublicKey(pem).export({ format: 'jwk' })
    if (kty !== 'OKP' || crv !== 'Ed25519') throw new Error('it is of another type')
    return Uint8Array.from(Buffer.from(x, 'base64url'))
  } catch (cause) {
    throw new Problem('request_invalid', `${file} is no Ed25519 public key in PEM`, { cause })
  }
}
