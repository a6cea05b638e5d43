import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AlertEvent } from '../../src/watch/run-alerts.ts'
import { openWebhook, type Webhook } from '../../src/watch/webhook.ts'

const event: AlertEvent = {
  alert: 'dead_letters:siem main/unit', n: 1, code: 'dead_letters', subject: 'siem main/unit', state: 'opened', severity: 'high', owner: 'siem',
  playbook: 'docs/playbooks/dead_letters.md', detail: '3 records', by: 'proofline', at: '2026-11-23T05:00:00.000000Z',
} // oxfmt-ignore

interface Received {
  method: string | undefined
  url: string | undefined
  authorization: string | undefined
  body: unknown
}

let folder: string
let received: Received[]
let answer: (n: number, response: ServerResponse) => void
let url: string
let closing: (() => Promise<unknown>)[]
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'proofline-webhook-'))
  received = []
  answer = (_, response) => response.writeHead(204).end()
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const { method, url: path, headers } = request
    received.push({ method, url: path, authorization: headers.authorization, body: JSON.parse(text) })
    answer(received.length, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  closing = [
    async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  ]
})
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  rmSync(folder, { recursive: true })
})

async function open(path: string, extra: { token_file?: string } = {}, timeoutMs = 5_000): Promise<Webhook> {
  const settings = { url: url + path, allow_metadata_addresses: false, ...extra }
  const webhook = await openWebhook(settings, AbortSignal.timeout(15_000), { pausesMs: [1, 1], timeoutMs })
  closing.push(() => webhook.close())
  return webhook
}

describe('a webhook', () => {
  it('gets one POST with the whole alert, at its path with its query, and the token of the file', async () => {
    writeFileSync(join(folder, 'token'), 'secret-of-the-hook\n')
    const webhook = await open('/hook?team=a', { token_file: join(folder, 'token') })
    await webhook.tell(event)
    expect(received).toEqual([
      {
        method: 'POST',
        url: '/hook?team=a',
        authorization: 'Bearer secret-of-the-hook',
        body: { schema: 'proofline.alert.v1', ...event },
      },
    ])
  })

  it('is told again after an answer that is none of success, with the same body', async () => {
    answer = (n, response) => response.writeHead(n < 3 ? 500 : 200).end('thanks')
    await (await open('/')).tell(event)
    expect(received.length).toBe(3)
    expect(new Set(received.map(({ body }) => JSON.stringify(body))).size).toBe(1)
  })

  it('is given up after three tries, naming what was seen and no token', async () => {
    writeFileSync(join(folder, 'token'), 'secret-of-the-hook')
    answer = (_, response) => response.writeHead(403).end('secret-of-the-hook')
    const webhook = await open('/', { token_file: join(folder, 'token') })
    const error = await webhook.tell(event).catch((cause: unknown) => String(cause))
    expect(error).toBe('Error: the webhook was not taken: HTTP 403')
    expect(received.length).toBe(3)
  })

  it('follows no redirect: the token is for one address', async () => {
    answer = (_, response) => response.writeHead(307, { location: `${url}/elsewhere` }).end()
    await expect((await open('/hook')).tell(event)).rejects.toThrow('HTTP 307')
    expect(received.map(({ url: path }) => path)).toEqual(['/hook', '/hook', '/hook'])
  })

  it('that never answers is given up as well', async () => {
    answer = () => {}
    await expect((await open('/', {}, 50)).tell(event)).rejects.toThrow(/not taken: read .*TIMEOUT/)
  })

  it('stops the start when its token cannot be read, or is too short to be told from a word', async () => {
    await expect(open('/', { token_file: join(folder, 'none') })).rejects.toThrow('ENOENT')
    writeFileSync(join(folder, 'token'), 'seven77\n')
    await expect(open('/', { token_file: join(folder, 'token') })).rejects.toThrow('has fewer than 8 characters')
  })
})
