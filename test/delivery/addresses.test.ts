import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createOutgoing, type OutgoingSettings } from '../../src/delivery/outgoing.ts'
import { listen } from '../support/http-fake.ts'

/** One name, several addresses: 127.0.0.1, 127.0.0.2 and so on, each a server of its own at the same port. */

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(20_000)
})

interface Node {
  host: string
  requests: number
}

/** `hosts` listen; the name leads to `names`. */
async function cluster(hosts: readonly string[], names: () => readonly string[] = () => hosts) {
  let port = 0
  const nodes: Node[] = []
  for (const host of hosts) {
    const node: Node = { host, requests: 0 }
    const server = await listen(
      async (request, response) => {
        for await (const _ of request);
        node.requests++
        if (request.url === '/reset') return void request.socket.destroy()
        response.end(host)
      },
      port,
      host,
    )
    port = Number(new URL(server.url).port)
    closers.push(server.close)
    nodes.push(node)
  }
  let asked = 0
  let clock = 0
  const settings: OutgoingSettings = {
    url: `http://siem.example:${port}`,
    connections: 2,
    compression: 'none',
    maxAnswerBytes: 1_000,
    timeoutMs: 500,
    allowMetadataAddresses: false,
    lookUp: async () => {
      asked++
      return names()
    },
  }
  const outgoing = createOutgoing(settings, () => clock)
  closers.push(outgoing.close)
  const ask = (more: { address?: string; path?: string; sendBeforeMs?: number; deadlineMs?: number } = {}) =>
    outgoing.request(
      { method: 'POST', path: '/x', headers: {}, body: Buffer.from('{}'), timeoutMs: 2_000, ...more },
      signal,
    )
  const at = (host: string): string => `${host}:${port}`
  return { ask, at, nodes, outgoing, lookUps: () => asked, tick: (ms: number) => void (clock += ms) }
}

describe('a name with several addresses', () => {
  it('is sent to at each of them in turn, and each answer names its own', async () => {
    const { ask, at, nodes } = await cluster(['127.0.0.1', '127.0.0.2', '127.0.0.3'])
    for (let i = 0; i < 6; i++) {
      const answer = await ask()
      if (answer.kind !== 'answer') throw new Error('an answer')
      expect(answer.address).toBe(at(answer.body))
    }
    expect(nodes.map(({ requests }) => requests)).toEqual([2, 2, 2])
  })

  it('case 2: goes to the next address when nobody listens at one, and asks that one last for a while', async () => {
    const { ask, at, nodes, outgoing, tick } = await cluster(['127.0.0.1'], () => ['127.0.0.9', '127.0.0.1'])
    const firstOfTwo = async () => [(await outgoing.addresses())[0], (await outgoing.addresses())[0]]
    expect(await ask()).toMatchObject({ kind: 'answer', body: '127.0.0.1', address: at('127.0.0.1') })
    expect(nodes[0]?.requests).toBe(1)
    expect(await firstOfTwo()).toEqual([at('127.0.0.1'), at('127.0.0.1')])
    tick(30_000)
    expect(new Set(await firstOfTwo())).toEqual(new Set([at('127.0.0.1'), at('127.0.0.9')]))
  })

  it('says of every address why it was not reached', async () => {
    const { ask, at } = await cluster([], () => ['127.0.0.8', '127.0.0.9'])
    const answer = await ask()
    expect(answer).toMatchObject({ kind: 'failure', phase: 'connect', wrote: false, code: 'ECONNREFUSED' })
    expect(answer.kind === 'failure' && answer.message).toContain(
      `before that ${at('127.0.0.8')} (connect ECONNREFUSED)`,
    )
  })

  it('is not sent to a second time once a byte has left', async () => {
    const { ask, nodes } = await cluster(['127.0.0.1', '127.0.0.2'])
    expect(await ask({ path: '/reset' })).toMatchObject({ kind: 'failure', wrote: true })
    expect(nodes.map(({ requests }) => requests)).toEqual([1, 0])
  })

  it('does not go on to the next address when send_before has passed', async () => {
    const { ask, nodes, tick } = await cluster(['127.0.0.1'], () => {
      tick(11_000)
      return ['127.0.0.9', '127.0.0.1']
    })
    const answer = await ask({ sendBeforeMs: 10_000, deadlineMs: 70_000 })
    expect(answer).toMatchObject({ kind: 'failure', wrote: false, code: 'ECONNREFUSED' })
    expect(nodes[0]?.requests).toBe(0)
  })

  it('is resolved anew after 30 seconds, and not before', async () => {
    let names = ['127.0.0.1']
    const { ask, lookUps, tick } = await cluster(['127.0.0.1', '127.0.0.2'], () => names)
    await ask()
    names = ['127.0.0.2']
    tick(29_000)
    expect(await ask()).toMatchObject({ body: '127.0.0.1' })
    expect(lookUps()).toBe(1)
    tick(1_000)
    expect(await ask()).toMatchObject({ body: '127.0.0.2' })
    expect(lookUps()).toBe(2)
  })

  it('case 1: sends nothing when the name does not resolve, and asks again at the next request', async () => {
    let names: string[] = []
    const { ask, nodes } = await cluster(['127.0.0.1'], () => names)
    expect(await ask()).toMatchObject({ kind: 'failure', phase: 'resolve', wrote: false, code: 'ENOTFOUND' })
    names = ['127.0.0.1']
    expect(await ask()).toMatchObject({ kind: 'answer' })
    expect(nodes[0]?.requests).toBe(1)
  })

  it('is sent to at the address that is demanded and at no other, also when the name leads there no more', async () => {
    const { ask, at, nodes } = await cluster(['127.0.0.1', '127.0.0.2'], () => ['127.0.0.1'])
    expect(await ask({ address: at('127.0.0.2') })).toMatchObject({ body: '127.0.0.2', address: at('127.0.0.2') })
    expect(await ask({ address: at('127.0.0.7') })).toMatchObject({
      kind: 'failure',
      wrote: false,
      address: at('127.0.0.7'),
    })
    expect(nodes.map(({ requests }) => requests)).toEqual([0, 1])
  })

  it('never leads to an address of metadata, neither by itself nor on demand', async () => {
    const { ask, outgoing, at } = await cluster(['127.0.0.1'], () => ['169.254.169.254', '127.0.0.1'])
    expect(await outgoing.addresses()).toEqual([at('127.0.0.1')])
    expect(await ask()).toMatchObject({ body: '127.0.0.1' })
    expect(await ask({ address: '169.254.169.254:80' })).toMatchObject({ code: 'ADDRESS_REFUSED', wrote: false })
  })
})
