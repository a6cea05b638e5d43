import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gzipSync } from 'node:zlib'
import type { Principal } from '../../src/access/principal.ts'
import { mountRuns } from '../../src/http/runs.ts'
import { type HttpServer, createServer } from '../../src/http/server.ts'
import { httpSettings } from '../../src/http/settings.ts'
import type { Admission } from '../../src/admission/admission.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

/** A statement is of one request with one body: what arrives must be that, byte for byte. */

let server: HttpServer
let url: string
const taken: { what: string; body: string }[] = []

const read = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
const take = async (what: string, body: AsyncIterable<Uint8Array>) => {
  taken.push({ what, body: await read(body) })
  return { created: true, answer: {} }
}
/** Admission has tests of its own; this one reads bodies to their end, as it does. */
const admission = {
  declare: async (_who: unknown, _run: unknown, body: object) => {
    taken.push({ what: 'declare', body: JSON.stringify(body) })
    return { created: true, answer: {} }
  },
  addInventory: (_who: unknown, _run: unknown, body: AsyncIterable<Uint8Array>) => take('inventory', body),
  addLineMaps: (_who: unknown, _run: unknown, _query: unknown, body: AsyncIterable<Uint8Array>) => take('maps', body),
  addPart: async (
    _who: unknown,
    _run: unknown,
    { sha256, body }: { sha256?: string; body: AsyncIterable<Uint8Array> },
  ) => take(`part ${sha256}`, body),
} as unknown as Admission

beforeAll(async () => {
  server = await createServer(httpSettings.parse({ port: 0 }), {
    // `Statement <digest> <target>`, believed: what signs it is tested in test/access.
    authenticate: async (authorization): Promise<Principal | undefined> => {
      const [, sha256 = '', target = ''] = /^Statement ([0-9a-f]{64}) (.+)$/.exec(authorization ?? '') ?? []
      return {
        org: 'main', id: 'producer:1', method: 'statement', scopes: new Set(['push']), repositories: ['github.com/acme/payments'],
        bound: { runs: ['r.api.unit'], request: { target, sha256 } },
      } // oxfmt-ignore
    },
    recordUse: async () => {},
    logPublic: false,
    log: silentLogger,
  })
  mountRuns(server.mount, admission, httpSettings.parse({}).limits)
  url = await server.listen()
})
afterAll(() => server.close())

const run = '/v1/runs/r.api.unit'
const declaration = JSON.stringify({
  repository: 'github.com/acme/payments',
  test_type: 'unit',
  suite: 'api',
  commit: 'a'.repeat(40),
})
async function send(
  path: string,
  body: string | Uint8Array,
  signed: { of?: string; target?: string },
  type = 'application/x-ndjson',
): Promise<string> {
  const { of = body.toString(), target = `PUT ${path}` } = signed
  const answer = await fetch(`${url}${path}`, {
    method: 'PUT',
    headers: {
      authorization: `Statement ${hash('sha256', of, 'hex')} ${target}`,
      'content-type': type,
      ...(typeof body === 'string' ? {} : { 'content-encoding': 'gzip' }),
    },
    body: typeof body === 'string' ? body : Buffer.from(body),
  })
  const { code } = (await answer.json()) as { code?: string }
  return code ?? String(answer.status)
}

describe('a signed request', () => {
  it('is taken with the body that was signed, compressed or not', async () => {
    expect(await send(run, declaration, {}, 'application/json')).toBe('201')
    expect(await send(`${run}/inventory`, 'files', {})).toBe('201')
    expect(await send(`${run}/inventory`, gzipSync('files'), { of: 'files' })).toBe('201')
    const maps = `${run}/line-maps?from=${'a'.repeat(40)}&to=${'b'.repeat(40)}&definition=git.patience%401`
    expect(await send(maps, 'maps', {})).toBe('201')
    expect(await send(`${run}/parts?name=x`, 'report', {})).toBe('201')
    expect(taken.at(-1)).toEqual({ what: `part ${hash('sha256', 'report', 'hex')}`, body: 'report' })
    taken.length = 0
    expect(await send(maps, 'maps', { of: 'other' })).toBe('digest_mismatch')
    expect(taken).toEqual([])
  })

  it('is refused with another body, before anything is made of it', async () => {
    taken.length = 0
    expect(await send(run, declaration, { of: declaration.replace('api', 'e2e') }, 'application/json')).toBe('digest_mismatch') // oxfmt-ignore
    expect(await send(`${run}/inventory`, 'files', { of: 'other' })).toBe('digest_mismatch')
    expect(await send(`${run}/inventory`, gzipSync('files'), { of: 'other' })).toBe('digest_mismatch')
    expect(taken).toEqual([])
  })

  it('is refused as another request: of another run, another part, another method', async () => {
    for (const target of [
      `PUT ${run}/parts?name=y`,
      `PUT ${run}/parts`,
      `POST ${run}/parts?name=x`,
      `PUT /v1/runs/other.api.unit/parts?name=x`,
    ])
      expect(await send(`${run}/parts?name=x`, 'report', { target }), target).toBe('identity_mismatch')
    expect(await send(`${run}/parts?name=x&strip=src`, 'report', { target: `PUT ${run}/parts?name=x` })).toBe('identity_mismatch') // oxfmt-ignore
  })
})
