import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { LogError } from '../log/log-error.ts'
import { type VerifierKey, isKeyName, parseVkey, printVkey } from '../log/vkey.ts'
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
    const server = await serveWitness(opened, { host, port, origins: [...logs.keys()], onError }, signal)
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

/** By origin: a log whose key was rotated has two. */
async function readLogs(given: readonly string[]): Promise<Map<string, VerifierKey[]>> {
  const logs = new Map<string, VerifierKey[]>()
  for (const text of given) {
    for (const line of await linesOf(text)) {
      const key = parse(line)
      logs.set(key.name, [...(logs.get(key.name) ?? []), key])
    }
  }
  if (logs.size === 0) throw new Problem('request_invalid', '--log: no verifier key is there')
  return logs
}

function parse(text: string): VerifierKey {
  try {
    const key = parseVkey(text)
    if (key.type === 1) return key
  } catch (cause) {
    if (cause instanceof LogError) throw new Problem('request_invalid', `--log: ${cause.message}`, { cause })
    throw cause
  }
  throw new Problem('request_invalid', `--log ${text}: this is the key of a witness, not of a log`)
}

async function linesOf(text: string): Promise<string[]> {
  if (/^[^/\s]\S*\+[0-9a-f]{8}\+\S+$/.test(text)) return [text]
  const lines = (await readFile(text, 'utf8')).split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('#'))
}
