import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { httpSettings } from '../../src/http/settings.ts'
import { Problem, problems } from '../../src/record/problem.ts'
import { declaration, raw, run, servers } from './serve.ts'

const start = servers()

async function expectProblem(answer: Response, code: keyof typeof problems): Promise<Record<string, unknown>> {
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const document = (await answer.json()) as Record<string, unknown>
  const { status, title } = problems[code]
  expect(document).toMatchObject({ type: `urn:proofline:problem:${code}`, status, title, code })
  expect(answer.status).toBe(status)
  return document
}

const json = { 'content-type': 'application/json' }

describe('problem documents', () => {
  it('answer what does not exist', async () => {
    const served = await start()
    for (const path of ['/nothing', '/v1', '/v1/runs', '/v1/feed/unit/', '/log/main/unit/tile/0']) {
      await expectProblem(await served.fetch(path, { token: 'all' }), 'not_found')
    }
  })

  it('tell a wrong method from a wrong path', async () => {
    const served = await start()
    const wrong = await served.fetch('/v1/status', { method: 'DELETE', token: 'all' })
    await expectProblem(wrong, 'method_not_allowed')
    expect(wrong.headers.get('allow')).toBe('GET, HEAD')
    const put = await served.fetch(`/v1/runs/${run}/parts?name=x`, { method: 'POST', body: 'x', token: 'push' })
    await expectProblem(put, 'method_not_allowed')
    expect(put.headers.get('allow')).toBe('PUT')
    await expectProblem(
      await served.fetch('/log/main/unit/tile/0/x001/000', { method: 'PUT', body: 'x' }),
      'method_not_allowed',
    )
  })

  it.each([
    ['no JSON', '{"repository":', 'the body is not JSON'],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'the body is not JSON'],
    ['an empty body', '', 'the body is not JSON'],
    ['an array', '[]', 'body: '],
    ['a missing member', JSON.stringify({ ...declaration, commit: undefined }), 'body.commit'],
    ['an unknown member', JSON.stringify({ ...declaration, comit: 'x' }), 'comit'],
    ['a short commit', JSON.stringify({ ...declaration, commit: '4f2d9b8' }), 'body.commit'],
    ['a name of 257 bytes', JSON.stringify({ ...declaration, suite: 'ä'.repeat(129) }), 'body.suite'],
    ['a control character', JSON.stringify({ ...declaration, ref: 'refs/heads/ma\u0000in' }), 'body.ref'],
    ['half a character', JSON.stringify({ ...declaration, ref: 'x\ud800' }), 'body.ref'],
    ['a local time', JSON.stringify({ ...declaration, occurred_at: '2026-11-23T05:00:00' }), 'body.occurred_at'],
    [
      '257 parents back',
      JSON.stringify({ ...declaration, first_parents: Array.from({ length: 257 }, () => declaration.commit) }),
      'body.first_parents',
    ],
  ])('name what is wrong with a declaration: %s', async (_what, body, detail) => {
    const served = await start()
    const answer = await served.fetch(`/v1/runs/${run}`, { method: 'PUT', body, headers: json, token: 'push' })
    expect((await expectProblem(answer, 'request_invalid'))['detail']).toContain(detail)
    expect(served.admitted).toEqual([])
  })

  it.each([
    'run',
    'a.unit',
    `a.b.c.${'x'.repeat(200)}.unit`,
    'a.b.c.smoke',
    'a..c.unit',
    'a.b.c%2Fd.unit',
    'a.b.c%00.unit',
  ])('refuse the run id %s', async (id) => {
    const served = await start()
    const answer = await served.fetch(`/v1/runs/${id}`, {
      method: 'PUT',
      body: JSON.stringify(declaration),
      headers: json,
      token: 'push',
    })
    await expectProblem(answer, 'request_invalid')
  })

  it('refuse unknown and doubled query parameters', async () => {
    const served = await start()
    for (const query of [
      'cursor=earliest&form=x',
      'cursor=earliest&cursor=latest',
      'after=-2',
      'after=1e3',
      'cursor=earliest&limit=0',
      'cursor=earliest&limit=10001',
      'cursor=earliest&wait=31',
      'cursor=earliest&kind=run,,seal',
      'since=yesterday',
    ]) {
      await expectProblem(await served.fetch(`/v1/feed/unit?${query}`, { token: 'feed' }), 'request_invalid')
    }
  })

  it('answer a broken URL, an over-long one and what is no HTTP', async () => {
    const served = await start({ limits: { header_bytes: 4_096 } })
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
    expect(await raw(served.port, request('/v1/records/%zz'))).toMatch(/^HTTP\/1.1 400 [^]*"code":"request_invalid"/)
    expect(await raw(served.port, request(`/${'x'.repeat(8_000)}`))).toMatch(
      /^HTTP\/1.1 431 [^]*"code":"headers_too_large"/,
    )
    expect(await raw(served.port, 'HELO mail\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 [^]*application\/problem\+json[^]*"code":"request_invalid"/,
    )
  })

  it('hide what broke here, and log it', async () => {
    const served = await start({ status: () => Promise.reject(new Error('secret detail')) })
    const answer = await served.fetch('/v1/status', { token: 'operate' })
    const document = await expectProblem(answer, 'internal')
    expect(JSON.stringify(document)).not.toContain('secret detail')
    expect(document['detail']).toContain(answer.headers.get('x-request-id'))
    expect(JSON.stringify(served.logged)).toContain('secret detail')
  })

  it('carry what admission refuses, with its members and a time to come back', async () => {
    const served = await start({
      admission: {
        declare: () =>
          Promise.reject(new Problem('recording_stopped', 'the signer is gone', { extra: { since: 'x' } })),
        close: () => Promise.reject(new Problem('seal_conflict', 'sealed otherwise')),
      },
    })
    const stopped = await served.fetch(`/v1/runs/${run}`, {
      method: 'PUT',
      body: JSON.stringify(declaration),
      headers: json,
      token: 'push',
    })
    expect(stopped.headers.get('retry-after')).toBe('30')
    expect(await expectProblem(stopped, 'recording_stopped')).toMatchObject({ since: 'x' })
    const seal = { method: 'PUT', body: '{"outcome":"completed","tests":null}', headers: json, token: 'push' }
    await expectProblem(await served.fetch(`/v1/runs/${run}/seal`, seal), 'seal_conflict')
  })
})

describe('headers', () => {
  it('allow the page nothing but its own style, on every answer', async () => {
    const served = await start()
    for (const path of ['/', '/nothing', '/v1/status']) {
      const { headers } = await served.fetch(path)
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('strict-transport-security')).toBeNull()
    }
    const page = await (await served.fetch('/')).text()
    expect(page).not.toMatch(/<script|src=|@import|url\(/)
  })

  it('return the request id of the caller when it is one', async () => {
    const served = await start()
    expect((await served.fetch('/healthz', { headers: { 'x-request-id': 'job-7' } })).headers.get('x-request-id')).toBe(
      'job-7',
    )
    expect(
      (await served.fetch('/healthz', { headers: { 'x-request-id': 'a b"' } })).headers.get('x-request-id'),
    ).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('limits', () => {
  it('case 57: end what one credential asks, with all that a poller needs to wait', async () => {
    let now = new Date('2026-11-23T05:00:20.500Z')
    const served = await start({ limits: { requests_per_minute: 3 }, now: () => now })
    const ask = (): Promise<Response> => served.fetch('/v1/feed/unit?cursor=earliest', { token: 'feed' })
    for (const left of ['2', '1', '0']) {
      const answer = await ask()
      expect([
        answer.status,
        answer.headers.get('x-ratelimit-remaining'),
        answer.headers.get('x-ratelimit-limit'),
      ]).toEqual([200, left, '3'])
    }
    const refused = await ask()
    expect(refused.headers.get('x-ratelimit-reset')).toBe(String(Date.parse('2026-11-23T05:01:00Z') / 1_000))
    expect(refused.headers.get('retry-after')).toBe('40') // not earlier than the reset
    expect(refused.headers.get('ratelimit')).toBe('"minute";r=0;t=40')
    await expectProblem(refused, 'rate_limited')
    expect((await served.fetch('/v1/status', { token: 'audit' })).status).toBe(200)
    expect((await served.fetch('/healthz')).status).toBe(200)
    now = new Date('2026-11-23T05:01:00Z')
    expect((await ask()).status).toBe(200)
  })

  it('end guessing from one address before the token is looked up', async () => {
    const served = await start({ limits: { refusals_per_minute: 2 } })
    for (let i = 0; i < 2; i++)
      await expectProblem(await served.fetch('/v1/status', { token: 'guess' }), 'unauthenticated')
    await expectProblem(await served.fetch('/v1/status', { token: 'guess' }), 'rate_limited')
  })

  it('refuse a JSON body that is too large, announced or not', async () => {
    const served = await start({ limits: { json_bytes: 1_000 } })
    const large = JSON.stringify({ ...declaration, flags: ['x'.repeat(2_000)] })
    const put = { method: 'PUT', headers: json, token: 'push' } as const
    await expectProblem(await served.fetch(`/v1/runs/${run}`, { ...put, body: large }), 'body_too_large')
    const stream = new Blob([large]).stream()
    await expectProblem(
      await served.fetch(`/v1/runs/${run}`, { ...put, body: stream, duplex: 'half' }),
      'body_too_large',
    )
  })

  it('take no compressed or foreign JSON', async () => {
    const served = await start()
    const put = (headers: Record<string, string>) =>
      served.fetch(`/v1/runs/${run}`, { method: 'PUT', headers, body: JSON.stringify(declaration), token: 'push' })
    await expectProblem(await put({ 'content-type': 'text/plain' }), 'media_type_unsupported')
    await expectProblem(await put({ ...json, 'content-encoding': 'gzip' }), 'media_type_unsupported')
    expect((await put({ 'content-type': 'application/json; charset=utf-8' })).status).toBe(201)
  })

  it('end a request whose headers or body do not arrive', async () => {
    const served = await start({ limits: { headers_timeout_ms: 100, json_timeout_ms: 150 } })
    expect(await raw(served.port, 'GET /healthz HTTP/1.1\r\nhost: x\r\n')).toMatch(
      /^HTTP\/1.1 408 [^]*"code":"request_timeout"/,
    )
    const head = `PUT /v1/runs/${run} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer push\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`
    const slow = await start({ limits: { json_timeout_ms: 150, linger_ms: 50 } })
    expect(await raw(slow.port, head)).toMatch(/^HTTP\/1.1 408 [^]*"code":"request_timeout"/)
  })

  it('are all in the settings, with defaults', () => {
    expect(httpSettings.parse(undefined)).toMatchObject({
      host: '127.0.0.1',
      port: 7_357,
      limits: { json_bytes: 1_048_576, part_bytes: 2_147_483_648 },
    })
    expect(() => httpSettings.parse({ prot: 1 })).toThrow('prot')
    expect(() => httpSettings.parse({ public_url: 'https://proofline.example/' })).toThrow('slash')
  })
})

describe('stopping', () => {
  it('ends a long poll at once with an empty page', async () => {
    const served = await start()
    served.reader.add(1)
    const poll = served.fetch('/v1/feed/unit?cursor=latest&wait=30', { token: 'feed' })
    await expect.poll(() => served.reader.waits).toBe(1)
    // What is under way is cut off after `shutdown_ms`, long before the 30 s that were asked for: then there would be no page.
    await served.close()
    expect(await (await poll).json()).toMatchObject({ records: [] })
  })

  it('lets what is under way end, and cuts it off when it takes too long', async () => {
    const finish: (() => void)[] = []
    const admission = {
      close: () => new Promise<never>((_, reject) => finish.push(() => reject(new Problem('seal_conflict', 'x')))),
    }
    const begun = (count: number) => expect.poll(() => finish.length).toBe(count)
    const seal = { method: 'PUT', body: '{"outcome":"failed","tests":null}', headers: json, token: 'push' } as const
    const patient = await start({ admission })
    const answer = patient.fetch(`/v1/runs/${run}/seal`, seal)
    await begun(1)
    const closing = patient.close()
    await sleep(50)
    finish[0]?.()
    expect((await answer).status).toBe(409)
    await closing

    const hasty = await start({ admission, limits: { shutdown_ms: 50 } })
    const cut = hasty.fetch(`/v1/runs/${run}/seal`, seal).catch((error: unknown) => error)
    await begun(2)
    await hasty.close()
    expect(await cut).toBeInstanceOf(Error)
    finish[1]?.()
  })
})

it('serves every route of the api and nothing else', async () => {
  const served = await start()
  for (const { method, path } of routes) {
    const answer = await served.fetch(path.replace(/\{\w+\*?\}/g, 'x'), {
      method,
      ...(method === 'GET' ? {} : { body: '{}' }),
    })
    // Sign-in is served also where it is not configured, and says so.
    const isUnconfigured = answer.status === 404 && (await answer.text()).includes('login is not configured')
    expect([200, 400, 401], path).toContain(isUnconfigured ? 200 : answer.status)
  }
  for (const path of ['/openapi.yaml', '/favicon.ico', '/admin']) expect((await served.fetch(path)).status).toBe(404)
})
