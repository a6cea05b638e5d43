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

/** The requests of each connection whose answers have not left. */
export interface Pipelines {
  /** False where the connection has too many: then it has ended. */
  mayGoOn(request: IncomingMessage, answer: ServerResponse): boolean
  /** Whether something else that is written now would stand within an answer, or in the place of another one. */
  isAnswering(socket: Socket): boolean
}

/** Node takes requests that are sent ahead as they come, without end, and has all of them answered at the same time. */
export function createPipelines(most: number): Pipelines {
  const underWay = new WeakMap<Socket, Set<ServerResponse>>()
  return {
    mayGoOn(request, answer) {
      const { socket } = request
      const open = underWay.get(socket) ?? new Set()
      underWay.set(socket, open)
      if (open.size >= most) {
        socket.destroy()
        return false
      }
      open.add(answer)
      whenOver(request, answer, () => open.delete(answer))
      return true
    },
    isAnswering(socket) {
      const open = [...(underWay.get(socket) ?? [])]
      return open.length > 1 || open.some(({ headersSent }) => headersSent)
    },
  }
}

/** The last word on a connection. Node has stopped its clocks for it by then: who does not hang up would keep it for ever. */
export function hangUp(socket: Socket, word: string, lingerMs: number): void {
  socket.end(word)
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.once('close', () => clearTimeout(timer))
}

/**
 * What is still sent of a request that was answered is read and thrown away for a while. Closing at once would reset the connection, and
 * lose the answer that tells why; without an end, whoever sends a byte now and then would keep it for as long as an upload may take.
 */
export function discardRest(request: IncomingMessage, lingerMs: number): void {
  const { socket } = request
  if (request.complete || socket.destroyed) return
  // By its own clock and not the request's events: the request is closed with the answer, whatever is still to come.
  setTimeout(() => {
    if (!request.complete) socket.destroy()
  }, lingerMs).unref()
  request.resume()
}
