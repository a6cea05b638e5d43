import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { LogError } from '../log/log-error.ts'
import { type TrustedKey, parseTrustedKeys } from '../log/trusted-key.ts'
import { isKeyName, printVkey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { openWitness } from '../signing/open-witness.ts'
import { serveWitness } from '../signing/serve-witness.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface WitnessCommand {
  state: string
  log: string[]
  listen: string
  key?: string
  name?: string
}

/** `proofline witness`: runs until the signal aborts, then answers what is under way and ends. */
export async function witness(options: WitnessCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { state: folder, key: keyFile, name = `witness.${hostname()}` } = options
  const { host, port } = parseAddress(options.listen)
  if (!isKeyName(name)) throw new Problem('request_invalid', `--name ${name}: a key's name has no spaces and no plus`)
  const logs = await readLogs(options.log)
  const opened = await openWitness({ folder, keyFile, name, logs, now: () => new Date() })
  try {
    const onError = (error: unknown): void =>
      terminal.say(`witness failed: ${error instanceof Error ? error.message : String(error)}`)
    const server = await serveWitness(opened, { host, port, origins: [...logs.keys()], onError }, signal).catch(
      (cause: unknown) => {
        const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
        if (!isTaken) throw cause
        throw new Problem('in_use', `${options.listen} is in use by another program: choose another one with --listen`, { cause }) // oxfmt-ignore
      },
    )
    const vkey = printVkey(opened.key)
    terminal.print({ url: server.url, vkey, logs: [...logs.keys()] }, () =>
      [
        `The witness listens at ${server.url}`,
        ...[...logs.keys()].map((origin) => `  log    ${origin}`),
        '',
        'For the policy of whoever relies on it:',
        `  witness ${opened.key.name} ${vkey} ${server.url}`,
      ].join('\n'),
    )
    await server.closed
    return 0
  } finally {
    opened.close()
  }
}

/** `host:port`, `[::1]:port`. */
function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || !(port <= 65_535))
    throw new Problem('request_invalid', `--listen ${text}: an address and a port are needed, as 127.0.0.1:7380`)
  return { host, port }
}

/** By origin: a log whose key was rotated has two. The files are those that the service keeps for verifiers. */
async function readLogs(given: readonly string[]): Promise<Map<string, TrustedKey[]>> {
  const logs = new Map<string, TrustedKey[]>()
  for (const key of (await Promise.all(given.map(readKeys))).flat()) {
    if (key.type !== 1)
      throw new Problem('request_invalid', `--log ${printVkey(key)}: this is the key of a witness, not of a log`)
    logs.set(key.name, [...(logs.get(key.name) ?? []), key])
  }
  if (logs.size === 0) throw new Problem('request_invalid', '--log: no verifier key is there')
  return logs
}

async function readKeys(given: string): Promise<TrustedKey[]> {
  const isKey = /^[^/\s+][^\s+]*\+[0-9a-f]{8}\+\S+( [a-z]+=\d+)*$/.test(given)
  try {
    return parseTrustedKeys(isKey ? given : await readFile(given, 'utf8'))
  } catch (cause) {
    if (cause instanceof LogError) throw new Problem('request_invalid', `--log: ${cause.message}`, { cause })
    throw cause
  }
}
