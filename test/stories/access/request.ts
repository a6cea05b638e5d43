import { Agent, request } from 'node:http'
import { unzip } from '../../evidence/memory-log.ts'

/** One request over kept connections, with whatever Authorization lines: fetch would join or refuse some of them. */

export interface Sent {
  method: string
  path: string
  headers?: Record<string, string>
  body?: string | undefined
  authorization?: string | readonly string[] | undefined
}

export interface Seen {
  status: number
  /** Status, headers and body as one text; of a pack what is in its files. */
  text: string
  headers: NodeJS.Dict<string | string[]>
}

export function createRequester(url: string): { send(sent: Sent): Promise<Seen>; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const { hostname, port } = new URL(url)
  return {
    send: ({ method, path, headers = {}, body, authorization }) =>
      new Promise((resolve, reject) => {
        const asked = request({ agent, hostname, port, method, path, headers })
        if (authorization !== undefined) asked.setHeader('authorization', authorization)
        asked.once('error', reject)
        asked.once('response', (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.once('error', reject)
          answer.once('end', () => {
            const { statusCode: status = 0, headers: got } = answer
            const seen = (body: string): Seen => ({
              status,
              text: `${status} ${JSON.stringify(got)}\n${body}`,
              headers: got,
            })
            const bytes = Buffer.concat(chunks)
            if (got['content-type'] === 'application/zip') resolve(unpack(bytes).then(seen))
            else resolve(seen(bytes.toString('latin1')))
          })
        })
        asked.end(body)
      }),
    close: () => agent.destroy(),
  }
}

async function unpack(bytes: Buffer): Promise<string> {
  return [...(await unzip(bytes))].map(([name, file]) => `${name}\n${file.toString('latin1')}`).join('\n')
}
