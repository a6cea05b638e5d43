import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Problem } from '../../src/record/problem.ts'
import { raw, run, servers } from './serve.ts'

const start = servers()

const parts = `/v1/runs/${run}/parts?name=lcov.info`
const head = (more: string): string =>
  `PUT ${parts} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer push\r\n${more}\r\n\r\n`

/** An admission that reads the part and tells how that went. */
function reading() {
  const seen: { bytes: number; chunks: number; error?: unknown }[] = []
  const addPart = async (_who: unknown, _run: string, part: { body: AsyncIterable<Uint8Array> }) => {
    const outcome: (typeof seen)[number] = { bytes: 0, chunks: 0 }
    seen.push(outcome)
    try {
      for await (const chunk of part.body) {
        outcome.bytes += chunk.length
        outcome.chunks += 1
      }
    } catch (error) {
      outcome.error = error
      throw error
    }
    return { created: true, answer: { bytes: outcome.bytes } }
  }
  return { seen, admission: { addPart: addPart as never } }
}

describe('a body', () => {
  it('arrives as it is sent, without being gathered', async () => {
    const { seen, admission } = reading()
    const served = await start({ admission })
    const bytes = new Uint8Array(5_000_000).fill(120)
    const answer = await served.fetch(parts, { method: 'PUT', body: bytes, token: 'push' })
    expect([answer.status, await answer.json()]).toEqual([201, { bytes: 5_000_000 }])
    expect(seen[0]?.chunks).toBeGreaterThan(10)
  })

  it.each([
    ['announced', 'content-length: 1000', 'x'.repeat(500)],
    ['in chunks, at the end of one', 'transfer-encoding: chunked', `1f4\r\n${'x'.repeat(500)}\r\n`],
    ['in chunks, within one', 'transfer-encoding: chunked', `3e8\r\n${'x'.repeat(500)}`],
    ['before the first byte', 'content-length: 1000', ''],
  ])('that breaks off is an error to who reads it, never an end: %s', async (_what, header, sent) => {
    const { seen, admission } = reading()
    const served = await start({ admission })
    for (const halfClose of [true, false]) {
      const socket = connect(served.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(head(header) + sent)
      const before = seen.length
      await expect.poll(() => seen.length > before && seen.at(-1)!.bytes === sent.replace(/^\w+\r\n|\r\n$/g, '').length).toBe(true) // oxfmt-ignore
      if (halfClose) socket.end()
      else socket.resetAndDestroy()
      await expect.poll(() => seen.at(-1)!.error).toBeDefined()
      expect(seen.at(-1)!.error).toMatchObject({ code: 'body_incomplete' })
      socket.destroy()
    }
    expect(served.logged.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('that stops arriving is answered 408', async () => {
    const { seen, admission } = reading()
    const served = await start({ admission, limits: { body_idle_ms: 80, linger_ms: 50 } })
    expect(await raw(served.port, `${head('content-length: 1000')}xxx`)).toMatch(
      /^HTTP\/1.1 408 [^]*"code":"request_timeout"/,
    )
    expect(seen[0]?.error).toMatchObject({ code: 'request_timeout' })
  })

  it('that arrives slowly but steadily is taken', async () => {
    const { admission } = reading()
    const served = await start({ admission, limits: { body_idle_ms: 200 } })
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 8; i++) {
        await sleep(60)
        yield new Uint8Array(10)
      }
    }
    expect(
      (await served.fetch(parts, { method: 'PUT', body: ReadableStream.from(slow()), token: 'push', duplex: 'half' }))
        .status,
    ).toBe(201)
  })

  it('over the limit is refused, announced before a byte is read, else where it passes it', async () => {
    const { seen, admission } = reading()
    const served = await start({ admission, limits: { part_bytes: 100_000, linger_ms: 200 } })
    const body = new Uint8Array(3_000_000)
    const announced = await served.fetch(parts, { method: 'PUT', body, token: 'push' })
    expect(await announced.json()).toMatchObject({ code: 'body_too_large', status: 413 })
    expect(seen[0]?.bytes).toBe(0)
    const chunked = await served.fetch(parts, {
      method: 'PUT',
      body: new Blob([body]).stream(),
      token: 'push',
      duplex: 'half',
    })
    expect(await chunked.json()).toMatchObject({ code: 'body_too_large', status: 413 })
    expect(seen[1]?.bytes).toBeLessThanOrEqual(100_000)
  })

  it('that is refused early still gets its answer to a client that sends on, and the connection ends', async () => {
    const admission = { addPart: () => Promise.reject(new Problem('report_unrecognized', 'no report')) }
    const served = await start({ admission, limits: { linger_ms: 200 } })
    const answer = await served.fetch(parts, { method: 'PUT', body: new Uint8Array(8_000_000), token: 'push' })
    expect(await answer.json()).toMatchObject({ code: 'report_unrecognized' })
    expect(await raw(served.port, `${head('content-length: 1000000')}xxx`)).toMatch(/^HTTP\/1.1 422 /)
  })

  it('finds a place or is told to come back', async () => {
    const finish: (() => void)[] = []
    const admission = {
      addPart: () => new Promise<never>((_, reject) => finish.push(() => reject(new Problem('report_empty', 'x')))),
    }
    const served = await start({ admission, limits: { uploads: 1 } })
    const put = () => served.fetch(parts, { method: 'PUT', body: 'x', token: 'push' })
    const first = put()
    await expect.poll(() => finish.length).toBe(1)
    const second = await put()
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '1'])
    finish[0]?.()
    expect((await first).status).toBe(422)
    const third = put()
    await expect.poll(() => finish.length).toBe(2)
    finish[1]?.()
    expect((await third).status).toBe(422)
  })

  it('finds a place beside those of an identity that has all it may have', async () => {
    const finish: (() => void)[] = []
    const admission = {
      addPart: () => new Promise<never>((_, reject) => finish.push(() => reject(new Problem('report_empty', 'x')))),
    }
    const served = await start({ admission, limits: { uploads: 3, uploads_per_identity: 1 } })
    const put = (token: string) => served.fetch(parts, { method: 'PUT', body: 'x', token })
    const begun = [put('push')]
    await expect.poll(() => finish.length).toBe(1)
    const refused = await put('push')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await refused.json()).toMatchObject({ code: 'overloaded', detail: expect.stringContaining('this identity') })
    begun.push(put('all'))
    await expect.poll(() => finish.length).toBe(2)
    for (const end of finish.splice(0)) end()
    for (const answer of begun) expect((await answer).status).toBe(422)
    begun.push(put('push'))
    await expect.poll(() => finish.length).toBe(1)
    finish[0]?.()
    expect((await begun[2])?.status).toBe(422)
  })
})

describe('runs', () => {
  it('hand admission what the request says', async () => {
    const served = await start()
    const headers = {
      'content-encoding': 'zstd',
      'content-digest': 'sha-256=:x:',
      'content-type': 'application/octet-stream',
    }
    await served.fetch(`${parts}&format=lcov&strip=/home/ci&root=web`, {
      method: 'PUT',
      body: 'bytes',
      headers,
      token: 'push',
    })
    expect(served.admitted[0]).toMatchObject([
      'addPart',
      { id: 'token:push' },
      run,
      {
        name: 'lcov.info',
        format: 'lcov',
        strip: '/home/ci',
        root: 'web',
        // As they came: what is wrong with them is refused there, on record.
        contentEncoding: 'zstd',
        contentDigest: 'sha-256=:x:',
      },
    ])
    await served.fetch(`/v1/runs/${run}/seal`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"outcome":"completed","tests":{"total":4,"passed":3,"failed":1,"skipped":0}}',
      token: 'push',
    })
    expect(served.admitted[1]).toMatchObject([
      'close',
      {},
      run,
      { outcome: 'completed', tests: { total: 4, passed: 3, failed: 1, skipped: 0 } },
    ])
  })

  it('answer 201 the first time and 200 again, with what admission answers', async () => {
    let created = true
    const served = await start({ admission: { close: (async () => ({ created, answer: { seq: 7 } })) as never } })
    const seal = {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"outcome":"aborted","tests":null}',
      token: 'push',
    } as const
    expect((await served.fetch(`/v1/runs/${run}/seal`, seal)).status).toBe(201)
    created = false
    const again = await served.fetch(`/v1/runs/${run}/seal`, seal)
    expect([again.status, await again.text(), again.headers.get('content-type')]).toEqual([
      200,
      '{"seq":7}',
      'application/json',
    ])
  })

  it('split a push into declaration, part and seal', async () => {
    const served = await start()
    const query = new URLSearchParams({
      run,
      name: 'lcov.info',
      repository: 'github.com/acme/payments',
      test_type: 'unit',
      suite: 'api',
      commit: '4'.repeat(40),
      build: 'b-7',
      tests: '10,9,0,1',
    })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const answer = await served.fetch(`/v1/push?${query.toString()}`, {
      method: 'POST',
      body: 'TN:\n',
      headers: { traceparent },
      token: 'push',
    })
    expect(answer.status).toBe(201)
    expect(served.admitted[0]).toMatchObject([
      'push',
      { org: 'main' },
      run,
      { part: { name: 'lcov.info', contentEncoding: undefined } },
    ])
    const { declaration, seal } = served.admitted[0]![3] as { declaration: unknown; seal: unknown }
    expect(declaration).toEqual({
      repository: 'github.com/acme/payments',
      test_type: 'unit',
      suite: 'api',
      commit: '4'.repeat(40),
      build: 'b-7',
      traceparent,
    })
    expect(seal).toEqual({ outcome: 'completed', tests: { total: 10, passed: 9, failed: 0, skipped: 1 } })
  })
})

describe.each([
  ['an inventory', `/v1/runs/${run}/inventory`, 'inventory_bytes'],
  [
    'a body of line maps',
    `/v1/runs/${run}/line-maps?from=${'a'.repeat(40)}&to=${'b'.repeat(40)}&definition=git.patience@1`,
    'line_map_bytes',
  ],
])('%s', (_what, path, limit) => {
  const gathering = () => {
    const got: string[] = []
    const gather = async (body: AsyncIterable<Uint8Array>) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of body) chunks.push(chunk)
      got.push(Buffer.concat(chunks).toString())
      return { created: true, answer: {} }
    }
    const addInventory = (_who: unknown, _run: string, body: AsyncIterable<Uint8Array>) => gather(body)
    const addLineMaps = (_who: unknown, _run: string, _query: unknown, body: AsyncIterable<Uint8Array>) => gather(body)
    return { got, admission: { addInventory: addInventory as never, addLineMaps: addLineMaps as never } }
  }
  const text = '{"path":"a","blob":"b"}\n'.repeat(1_000)

  it('is decoded', async () => {
    const { got, admission } = gathering()
    const served = await start({ admission })
    for (const [encoding, body] of [
      ['identity', Buffer.from(text)],
      ['gzip', gzipSync(text)],
      ['zstd', zstdCompressSync(text)],
    ] as const) {
      const answer = await served.fetch(path, {
        method: 'PUT',
        body,
        headers: { 'content-encoding': encoding },
        token: 'push',
      })
      expect(answer.status).toBe(201)
    }
    expect(got).toEqual([text, text, text])
  })

  it('that is broken, cut or a bomb is refused', async () => {
    const { admission } = gathering()
    const served = await start({ admission, limits: { [limit]: 100_000 } })
    const put = async (body: Uint8Array<ArrayBuffer>, encoding: string) =>
      (
        await served.fetch(path, { method: 'PUT', body, headers: { 'content-encoding': encoding }, token: 'push' })
      ).json()
    for (const encoding of ['br', 'gzip, gzip', 'deflate'])
      expect(await put(gzipSync(text), encoding), encoding).toMatchObject({ code: 'media_type_unsupported' })
    expect(await put(Buffer.from('not gzip'), 'gzip')).toMatchObject({ code: 'encoding_invalid' })
    expect(await put(gzipSync(text).subarray(0, 60), 'gzip')).toMatchObject({ code: 'encoding_invalid' })
    expect(await put(zstdCompressSync(text).subarray(0, 30), 'zstd')).toMatchObject({ code: 'encoding_invalid' })
    // An empty frame that asks for a window of 128 MiB.
    const wide = Buffer.from('28b52ffd0088010000', 'hex')
    expect(await put(wide, 'zstd')).toMatchObject({ detail: expect.stringContaining('more than 8 MiB') })
    expect(await put(gzipSync(Buffer.alloc(10_000_000)), 'gzip')).toMatchObject({ code: 'expansion_limit' })
  })
})
