import { connect } from 'node:net'

/** Requests as bytes, and sockets that send them however broken they are. */

export interface Target {
  url: string
  token: string
}

/** Numbers in [0, 1). */
export type Random = () => number

/** Request line and headers, with what follows them. */
export function head({ token }: Target, method: string, path: string, headers: Record<string, string> = {}, rest = ''): Buffer {
  const lines = Object.entries({ host: 'localhost', authorization: `Bearer ${token}`, ...headers })
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${rest}`, 'latin1') // oxfmt-ignore
} // oxfmt-ignore

/** A whole request that says how long its body is. */
export function whole(target: Target, method: string, path: string, headers: Record<string, string>, body: Uint8Array): Buffer {
  const length = { 'content-length': String(body.length), connection: 'close' }
  return Buffer.concat([head(target, method, path, { ...length, ...headers }), body])
} // oxfmt-ignore

export interface Exchange {
  /** How long the answer is waited for; then we hang up. */
  ms?: number
  /** Reads nothing of the answer. */
  deaf?: boolean
  /** How we hang up: with a reset instead of a FIN. */
  reset?: boolean
}

const enough = 64_000

/** Writes, reads the answer, hangs up. Answers the first of what it read, which may be nothing. */
export function exchange(url: string, bytes: Uint8Array, { ms = 10_000, deaf = false, reset = false }: Exchange = {}): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => void socket.write(bytes))
    let answer = ''
    const timer = setTimeout(() => (reset ? socket.resetAndDestroy() : socket.destroy()), ms)
    if (deaf) socket.pause()
    else socket.on('data', (chunk) => (answer = answer.length > enough ? answer : answer + chunk.toString('latin1')))
    socket.on('error', () => {}) // a reset is an end as any other
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
} // oxfmt-ignore

/** Of all answers on a connection. Some begin right where the body of the one before ends. */
export const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
