import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import dns, { type LookupAddress } from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import type { Socket } from 'node:net'

/**
 * Names that end in `.test` lead where a test says, for everything in this process, as if the DNS said so: a second question may get
 * another answer. Every address that a socket is about to connect to is written down; beyond this machine none gets there.
 */
export interface FakeDns {
  /** The answers in turn; the last one stays. */
  answer(name: string, ...answers: (readonly string[])[]): void
  questions: string[]
  connections: string[]
  restore(): void
}

export function fakeDns(): FakeDns {
  const real = { lookup: dns.lookup, asked: dns.promises.lookup }
  const answers = new Map<string, (readonly string[])[]>()
  const [questions, connections]: [string[], string[]] = [[], []]

  const find = (name: string): LookupAddress[] | undefined => {
    const left = answers.get(name)
    if (left === undefined) return undefined
    questions.push(name)
    const now = (left.length > 1 ? left.shift() : left[0]) ?? []
    return now.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  }
  const lookup = (name: string, options: { all?: boolean }, done: (...args: unknown[]) => void): void => {
    const found = find(name)
    if (found === undefined) return void Reflect.apply(real.lookup, dns, [name, options, done])
    const [first] = found
    setImmediate(() => (options.all === true ? done(null, found) : done(null, first?.address, first?.family)))
  }
  const asked = async (name: string, options?: { all?: boolean }): Promise<unknown> => {
    const found = find(name)
    if (found === undefined) return await Reflect.apply(real.asked, dns.promises, [name, options])
    return options?.all === true ? found : found[0]
  }
  const watch = (message: unknown): void => {
    const { socket } = message as { socket: Socket } // what the channel is documented to carry
    socket.on('connectionAttempt', (ip: string) => {
      connections.push(ip)
      const unreachable = Object.assign(new Error('not from a test'), { code: 'EHOSTUNREACH' })
      if (!/^(?:::ffff:)?127\./.test(ip)) setImmediate(() => socket.destroy(unreachable))
    })
  }

  Object.assign(dns, { lookup })
  Object.assign(dns.promises, { lookup: asked })
  syncBuiltinESMExports()
  subscribe('net.client.socket', watch)
  return {
    answer: (name, ...given) => void answers.set(name, given),
    questions,
    connections,
    restore() {
      unsubscribe('net.client.socket', watch)
      Object.assign(dns, { lookup: real.lookup })
      Object.assign(dns.promises, { lookup: real.asked })
      syncBuiltinESMExports()
    },
  }
}
