import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Logger } from '../telemetry/logger.ts'
import { countedAs } from './address.ts'

/** Bounds what one caller holds at once: connections of an address, and requests on a connection. */

/** More connections than an address may have end at once, before a byte is read. A proxy has as many as there are. */
export function boundConnections(
  server: Server,
  most: number,
  isProxy: (address: string | undefined) => boolean,
  log: Pick<Logger, 'warn'>,
): void {
  const open = new Map<string, number>()
  const told = new Set<string>()
  server.prependListener('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    if (remoteAddress === undefined || isProxy(remoteAddress)) return
    const address = countedAs(remoteAddress)
    const now = (open.get(address) ?? 0) + 1
    open.set(address, now)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
      if (left === 0) told.delete(address)
    })
    if (now <= most) return
    if (!told.has(address)) log.warn('connections.refused', { address, most })
    told.add(address)
    socket.destroy()
  })
}

const ends = new WeakMap<Socket, Set<() => void>>()

/**
 * Runs once, when the answer has left or the connection is gone. The answer alone does not tell: one that waits behind others, to requests
 * that were sent ahead, has no connection yet and never closes when that goes.
 */
export function whenOver({ socket }: IncomingMessage, answer: ServerResponse, run: () => void): void {
  if (socket.closed || answer.closed) return run() // before we came to listen
  const all = ends.get(socket) ?? new Set()
  if (!ends.has(socket)) {
    ends.set(socket, all)
    socket.once('close', () => all.forEach((end) => end()))
  }
  const end = (): void => {
    all.delete(end)
    answer.off('close', end)
    run()
  }
  all.add(end)
  answer.once('close', end)
}

/**
 * Node takes requests that are sent ahead as they come, without end, and has all of them answered at the same time. A connection with more
 * than `most` ends. Answers whether the request may go on.
 */
export function createPipelineBound(most: number): (request: IncomingMessage, answer: ServerResponse) => boolean {
  const underWay = new WeakMap<Socket, number>()
  return (request, answer) => {
    const { socket } = request
    const now = (underWay.get(socket) ?? 0) + 1
    if (now > most) {
      socket.destroy()
      return false
    }
    underWay.set(socket, now)
    whenOver(request, answer, () => underWay.set(socket, (underWay.get(socket) ?? 1) - 1))
    return true
  }
}
