import { request as forward } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { listen } from './http-fake.ts'

/**
 * A load balancer with stickiness by cookie, as those of the large clouds: requests without its cookie go to the nodes in turn, and the
 * answer sets it. It adds nothing and changes nothing, so what the nodes see is what was sent.
 */
export interface Balancer {
  url: string
  /** Path and cookie of every request, in order. */
  seen: { path: string; cookie: string | undefined; node: number }[]
  close(): Promise<void>
}

export async function startBalancer(
  nodes: readonly string[],
  options: { host?: string; port?: number } = {},
): Promise<Balancer> {
  const seen: Balancer['seen'] = []
  let turn = 0
  const nodeOf = ({ headers }: IncomingMessage): number => {
    const named = /(?:^|; )LB=n(\d+)/.exec(headers.cookie ?? '')?.[1]
    return named === undefined ? turn++ % nodes.length : Number(named)
  }
  const server = await listen(
    async (incoming, outgoing) => {
      const node = nodeOf(incoming)
      const { method, headers, url: path = '' } = incoming
      seen.push({ path: path.split('?')[0] ?? '', cookie: headers.cookie, node })
      const onward = forward(`${nodes[node]}${path}`, { method, headers, agent: false }, (answer) => {
        const cookies = [`LB=n${node}; Path=/; HttpOnly; Expires=Wed, 09 Jun 2100 10:18:14 GMT`, 'other=1']
        outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'set-cookie': cookies })
        answer.on('error', () => outgoing.destroy()).pipe(outgoing)
      })
      onward.on('error', () => outgoing.socket?.destroy())
      incoming.pipe(onward)
    },
    options.port,
    options.host,
  )
  return { url: server.url, seen, close: server.close }
}
