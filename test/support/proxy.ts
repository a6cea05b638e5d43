import { createServer as createHttp, type IncomingMessage } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** A proxy that speaks CONNECT, and resolves names in its own way, as one of a company does. */
export interface FakeProxy {
  url: string
  /** `host:port` of every tunnel that was asked for, and with which credential. */
  asked: { place: string; credential: string | undefined }[]
  /** Any other request that reached it: there should be none. */
  others: number
  close(): Promise<void>
}

export async function startProxy(
  options: {
    tls?: { cert: Buffer; key: Buffer }
    demands?: string
    answer?: number | 'hang up' | 'silence'
    hosts?: Record<string, string>
  } = {},
): Promise<FakeProxy> {
  const { tls, demands, answer, hosts = {} } = options
  const sockets = new Set<Socket>()
  const server = tls === undefined ? createHttp() : createHttps(tls)
  const proxy: FakeProxy = {
    url: '',
    asked: [],
    others: 0,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  server.on('request', (_, response) => {
    proxy.others++
    response.writeHead(400).end()
  })
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    const place = request.url ?? ''
    const credential = request.headers['proxy-authorization']
    proxy.asked.push({ place, credential })
    client.on('error', () => undefined)
    sockets.add(client)
    const expected = demands === undefined ? undefined : `Basic ${Buffer.from(demands).toString('base64')}`
    if (answer === 'hang up') return void client.destroy()
    if (answer === 'silence') return
    const status = answer ?? (credential === expected ? 200 : 407)
    if (status !== 200) return void client.end(`HTTP/1.1 ${status} No\r\ncontent-length: 2\r\n\r\nno`)
    const { hostname, port } = new URL(`http://${place}`)
    const onward = connect({ host: hosts[hostname] ?? hostname, port: Number(port || 80) }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.write(head)
      onward.pipe(client).pipe(onward)
    })
    sockets.add(onward)
    onward.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}
