import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'
import { isMetadataAddress } from './addresses.ts'
import type { Phase } from './destination.ts'

/** Why no connection came about: nothing was sent. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly phase: Phase
  readonly code: string
  readonly address: string

  constructor(phase: Phase, code: string, message: string, address: string) {
    super(message)
    this.phase = phase
    this.code = code
    this.address = address
  }
}

export interface ConnectSettings {
  tls: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase'>
  allowMetadataAddresses: boolean
  timeoutMs: number
}

/** What a server showed, `expiresAt` in microseconds. */
export interface Certificate {
  subject: string
  expiresAt: number
}

function certificateOf(socket: Socket): Certificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const { subject, valid_to } = socket.getPeerCertificate()
  const expiresAt = Date.parse(valid_to) * 1000
  // A resumed session shows none.
  return Number.isFinite(expiresAt) ? { subject: [subject.CN].flat()[0] ?? '', expiresAt } : undefined
}

/**
 * Resolves, connects and shakes hands step by step, so that an error can name its phase and address. Certificates are always verified.
 * Every address of a name is tried in turn.
 */
export function createConnector(
  settings: ConnectSettings,
  onConnected: (address: string, certificate: Certificate | undefined) => void,
): buildConnector.connector {
  return (options, callback) => {
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80))
    open(options.hostname, port, options.protocol === 'https:', settings).then(
      (socket) => {
        onConnected(`${socket.remoteAddress}:${socket.remotePort}`, certificateOf(socket))
        callback(null, socket)
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    )
  }
}

async function open(hostname: string, port: number, secure: boolean, settings: ConnectSettings): Promise<Socket> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const addresses = await resolve(host)
  let last: ConnectError | undefined
  for (const address of addresses) {
    if (isMetadataAddress(address) && !settings.allowMetadataAddresses) {
      last = new ConnectError(
        'resolve',
        'ADDRESS_REFUSED',
        `${host} is ${address}, a link-local or metadata address`,
        address,
      )
      continue
    }
    try {
      return await openAt(address, host, port, secure, settings)
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error
      last = error
    }
  }
  throw last ?? new ConnectError('resolve', 'ENOTFOUND', `${host} has no address`, host)
}

async function resolve(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    throw new ConnectError('resolve', codeOf(error), messageOf(error), host)
  }
}

function openAt(
  address: string,
  host: string,
  port: number,
  secure: boolean,
  settings: ConnectSettings,
): Promise<Socket> {
  return new Promise((done, fail) => {
    let phase: Phase = 'connect'
    const where = `${address}:${port}`
    const socket = secure
      ? connectTls({
          ...settings.tls,
          host: address,
          port,
          ALPNProtocols: ['http/1.1'],
          ...(isIP(host) === 0 ? { servername: host } : {}),
        })
      : connectTcp({ host: address, port })
    const timer = setTimeout(
      () => give(new ConnectError(phase, 'ETIMEDOUT', `no connection in ${settings.timeoutMs} ms`, where)),
      settings.timeoutMs,
    )
    const give = (error: ConnectError): void => {
      clearTimeout(timer)
      socket.destroy()
      fail(error)
    }
    const failed = (error: unknown): void => give(new ConnectError(phase, codeOf(error), messageOf(error), where))
    socket.setNoDelay(true)
    socket.once('error', failed)
    socket.once('connect', () => {
      phase = 'tls'
    })
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.off('error', failed)
      done(socket)
    })
  })
}

export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'UNKNOWN'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
