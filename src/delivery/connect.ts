import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import { describe, isCertificateCode, shownBy, toCertificate } from './certificate.ts'
import { codeOf, ConnectError, messageOf } from './connect-error.ts'

/** Connections step by step, so that an error can name its phase and address. Certificates are always verified. */

/** Where to. `host` is the name of the URL without brackets, which certificates are compared with. */
export interface Target {
  host: string
  port: number
  secure: boolean
}

/** A connection without encryption, direct or through a proxy. Rejects with ConnectError. */
export type Dial = (endMs: number) => Promise<Socket>

/** As it stands in answers and messages. */
export const printAddress = (ip: string, port: number): string => `${isIP(ip) === 6 ? `[${ip}]` : ip}:${port}`

export function dialDirect(ip: string, port: number): Dial {
  return (endMs) => {
    const socket = connectTcp({ host: ip, port })
    socket.setNoDelay(true)
    return once(socket, 'connect', 'connect', printAddress(ip, port), endMs)
  }
}

/** Dials, and shakes hands where the target is secure. `address` names it in errors. */
export async function open(
  dial: Dial,
  { host, secure }: Target,
  address: string,
  context: SecureContext | undefined,
  timeoutMs: number,
): Promise<Socket> {
  const endMs = performance.now() + timeoutMs
  const raw = await dial(endMs)
  if (!secure) return raw
  const names = {
    ALPNProtocols: ['http/1.1'],
    ...(context === undefined ? {} : { secureContext: context }),
    ...(isIP(host) === 0 ? { servername: host } : { host }),
  }
  try {
    const socket = await once(connectTls({ ...names, socket: raw }), 'secureConnect', 'tls', address, endMs)
    // With TLS 1.3 a server refuses our certificate after the handshake, and hangs up: the alert is the reason, not the end behind it.
    return socket.once('error', (error) => socket.destroy(error))
  } catch (error) {
    if (!(error instanceof ConnectError) || !isCertificateCode(error.code)) throw error
    throw await named(
      error,
      () => dial(performance.now() + timeoutMs),
      (socket) => connectTls({ ...names, socket, rejectUnauthorized: false }),
    )
  }
}

/** A handshake that failed says little: the certificate that was refused is fetched once more to be named. Nothing is sent to its server. */
async function named(
  error: ConnectError,
  dial: () => Promise<Socket>,
  shake: (socket: Socket) => TLSSocket,
): Promise<ConnectError> {
  try {
    const socket = await once(shake(await dial()), 'secureConnect', 'tls', error.address, performance.now() + 5_000)
    const shown = shownBy(socket)
    socket.destroy()
    if (shown === undefined) return error
    const message = `${error.message}; ${describe(shown)}`
    return new ConnectError(error.phase, error.code, message, error.address, toCertificate(shown))
  } catch {
    return error
  }
}

function once<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  phase: 'connect' | 'tls',
  address: string,
  endMs: number,
): Promise<S> {
  return new Promise((done, fail) => {
    const leftMs = Math.max(0, Math.round(endMs - performance.now()))
    const timer = setTimeout(
      () => give(new ConnectError(phase, 'ETIMEDOUT', `no answer in ${leftMs} ms`, address)),
      leftMs,
    )
    const give = (error: ConnectError): void => {
      clearTimeout(timer)
      socket.destroy()
      fail(error)
    }
    const failed = (error: unknown): void => give(new ConnectError(phase, codeOf(error), messageOf(error), address))
    // A peer that hangs up during the handshake makes no error of every socket.
    const closed = (): void => give(new ConnectError(phase, 'ECONNRESET', 'closed by the other side', address))
    socket.once('error', failed)
    socket.once('close', closed)
    socket.once(event, () => {
      clearTimeout(timer)
      socket.off('error', failed)
      socket.off('close', closed)
      done(socket)
    })
  })
}
