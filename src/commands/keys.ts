import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { type KeptKeyTold, keyChange, keyList } from '../api/keys.ts'
import { LogError } from '../log/log-error.ts'
import { createVerifierKey, printVkey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import { printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `proofline key list`, `rotate`, `retire`: asked of the running service, which puts them on record; `vkey` needs none. */

async function ask<T>(schema: z.ZodType<T>, path: string, body: object | undefined, signal: AbortSignal): Promise<T> {
  const client = await connect()
  try {
    const { bytes } = await client.send({
      method: body === undefined ? 'GET' : 'POST',
      path,
      signal,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }),
    })
    return schema.parse(JSON.parse(bytes.toString('utf8')))
  } finally {
    client.close()
  }
}

const list = (signal: AbortSignal) => ask(keyList, '/v1/keys', undefined, signal)

/** Of one owner, oldest first. */
async function keysOf(of: string, signal: AbortSignal): Promise<KeptKeyTold[]> {
  return (await list(signal)).keys.filter((key) => key.of.split('/')[1] === of)
}

export async function listKeys(terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const found = await list(signal)
  terminal.print(found, () => printKeys(found.keys))
  return 0
}

export async function rotate(
  of: string,
  options: { reason: string; atOnce?: boolean; vkey?: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const newest = (await keysOf(of, signal)).at(-1)
  if (newest === undefined) throw new Problem('not_found', `there is no key of ${of}`)
  const body = { reason: options.reason, replaces: newest.vkey, at_once: options.atOnce === true, vkey: options.vkey }
  const answer = await ask(keyChange, `/v1/keys/${of}/rotate`, body, signal)
  terminal.print(answer, () => {
    const next = options.atOnce === true ? '' : `\nWhen they have it: proofline key retire ${of} --reason TEXT\n`
    return `${printKeys(answer.keys)}\nGive these lines to everybody who verifies (<data folder>/keys has them too); witnesses are started again with them:\n${answer.keys.map(printLine).join('')}${next}`
  })
  return 0
}

export async function retire(
  of: string,
  options: { reason: string; until?: number },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const beside = (await keysOf(of, signal)).find(({ state }) => state === 'beside')
  if (beside === undefined)
    throw new Problem('key_conflict', `no old key of ${of} signs beside the newest one: rotate first`)
  const body = { reason: options.reason, vkey: beside.vkey, until: options.until }
  const answer = await ask(keyChange, `/v1/keys/${of}/retire`, body, signal)
  terminal.print(answer, () => printKeys(answer.keys))
  return 0
}

/** As in the `.vkey` files. */
const printLine = ({ vkey, from, until }: KeptKeyTold): string =>
  `${[vkey, ...(from === null ? [] : [`from=${from}`]), ...(until === null ? [] : [`until=${until}`])].join(' ')}\n`

function printKeys(keys: readonly KeptKeyTold[]): string {
  const rows = keys.map(({ of, id, state, from, until, recorded_at }) => {
    const sizes = `${from ?? 0} to ${until === null ? 'now' : until - 1}`
    return [of, id, state === 'beside' ? 'signing, to be retired' : state, sizes, recorded_at ?? 'not on record yet']
  })
  return printTable([['of', 'key', 'state', 'sizes', 'on record since'], ...rows])
}

/** Of an Ed25519 public key as PEM (SPKI): how KMS and OpenSSL write one. */
export async function printOf(name: string, file: string, terminal: Terminal): Promise<ExitCode> {
  const pem = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')
  try {
    const { x } = createPublicKey(pem).export({ format: 'jwk' })
    const publicKey = Buffer.from(x ?? '', 'base64url')
    if (!/BEGIN PUBLIC KEY/.test(pem)) throw new Problem('request_invalid', 'a public key is needed, as PEM')
    const vkey = printVkey(createVerifierKey(name, 1, Uint8Array.from(publicKey)))
    terminal.print({ vkey }, () => vkey)
    return 0
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    const why = cause instanceof LogError || cause instanceof Error ? cause.message : String(cause)
    throw new Problem('request_invalid', `${file} is no Ed25519 public key in PEM: ${why}`, { cause })
  }
}
