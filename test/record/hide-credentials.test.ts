import { describe, expect, it } from 'vitest'
import { hideCredentials } from '../../src/record/hide-credentials.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

const token = `pl_0123456789abcdef_${'aB3-_'.repeat(9).slice(0, 43)}`
const jwt = `eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.${'s'.repeat(40)}`

describe('what is printed', () => {
  it.each([
    ['a token', `the token ${token} is refused`, 'the token pl_[secret] is refused'],
    ['a token that is cut', `x=${token.slice(0, -5)}`, 'x=pl_[secret]'],
    ['a password in an address', 'at postgres://app:hunter2@db:5432/x?sslmode=require', 'at postgres://app:[secret]@db:5432/x?sslmode=require'],
    ['a password with an @', 'postgres://app:hun@ter2@db/x', 'postgres://app:[secret]@db/x'],
    ['a password without a user', 'redis://:hunter2@cache', 'redis://:[secret]@cache'],
    ['a header', '{"authorization":"Splunk 11112222-3333"}', '{"authorization":"Splunk [secret]"}'],
    ['a JWS', `token ${jwt}`, 'token [secret]'],
    ['a query', 'GET /login/callback?code=abc&state=def&x=1', 'GET /login/callback?code=[secret]&state=[secret]&x=1'],
    ['a signed address', 'https://s3/x?X-Amz-Signature=00ff&X-Amz-Date=1', 'https://s3/x?X-Amz-Signature=[secret]&X-Amz-Date=1'],
    ['a session', `of 0123456789abcdef_${'A'.repeat(42)}-.`, 'of [secret].'],
    ['a cookie', 'set-cookie: session=abc; Path=/', 'set-cookie: [secret]'],
    ['a key of ours', 'PRIVATE+KEY+producer/1+aabb+AQID read', 'PRIVATE+KEY+[secret] read'],
    ['a key in PEM', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', '[secret]'],
  ])('holds no %s', (_what, text, hidden) => expect(hideCredentials(text)).toBe(hidden))

  it.each([
    'https://github.com/acme/payments: branch main',
    'proofline listens at http://127.0.0.1:7357, admin@example.org asked',
    'the basic rules apply to splunk and elastic',
    'main.unit-184467-37257c217cd0d61e token:0123456789abcdef',
    'GET /v1/gaps?repository=github.com/acme/payments&state_of=x',
  ])('stays what it is: %s', (text) => expect(hideCredentials(text)).toBe(text))

  it('is cleaned by the logger, in fields, errors and their causes', () => {
    const lines: string[] = []
    for (const format of ['json', 'text'] as const) {
      const log = createLogger({ format, write: (line) => void lines.push(line) })
      const error = new Error('first', { cause: new Error(`postgres://u:hunter2@db ${token}`) })
      log.error('request.failed', { error, url: `/x?token=${token}`, deep: { authorization: `Bearer ${token}` } })
    }
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).not.toMatch(/hunter2|aB3-_aB3/)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ url: '/x?token=[secret]' })
  })

  it('takes no longer than its length, whatever it is made of', () => {
    for (const piece of ['a://', 'a:', 'bearer ', 'pl_', '-----BEGIN ', 'eyJ.', '?code', 'cookie:', 'a:b@'])
      expect(hideCredentials(piece.repeat(20_000)).length).toBeGreaterThan(0)
  })
}) // oxfmt-ignore
