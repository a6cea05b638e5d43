import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Environment, readConfig, withoutSecrets } from '../src/config.ts'
import { Problem } from '../src/record/problem.ts'

const refusal = (
  text: string | undefined,
  env: Environment = {},
  flags: Record<string, string | undefined> = {},
): string => {
  try {
    readConfig(text, env, flags)
  } catch (error) {
    expect(error).toBeInstanceOf(Problem)
    expect((error as Problem).code).toBe('request_invalid')
    return (error as Problem).message
  }
  throw new Error('it was taken')
}

describe('readConfig', () => {
  it('needs nothing at all', () => {
    const config = readConfig(undefined, {})
    expect(config).toMatchObject({
      org: 'main',
      public_host: 'localhost',
      http: { host: '127.0.0.1', port: 7_357 },
      database: { connections: 16 },
    })
    expect(config.data_dir).toBe(resolve('.proofline'))
    expect(config.otlp).toEqual([])
    expect(readConfig('', {})).toEqual(config)
  })

  it('says what is missing, whose file it is, and what is no database', () => {
    expect(refusal('http: {tls: {certificate_file: a.crt}}')).toBe('http.tls.key_file: is missing')
    expect(refusal('http: {port: seventy}')).toBe('http.port: expected number, received string')
    expect(refusal('database: {url: "mysql://x"}')).toMatch(/^database\.url: is no address of a PostgreSQL/)
    expect(() => readConfig('a: [', {}, {}, 'proofline.yaml')).toThrow(/^proofline\.yaml line 1: /)
  })

  it('takes file, then environment, then command line', () => {
    const file = 'http:\n  port: 1\n  host: file\norg: file\n'
    expect(readConfig(file, {}).http).toMatchObject({ host: 'file', port: 1 })
    expect(readConfig(file, { PROOFLINE_HTTP_PORT: '2' }).http).toMatchObject({ host: 'file', port: 2 })
    expect(readConfig(file, { PROOFLINE_PORT: '2' }, { port: '3' }).http).toMatchObject({ host: 'file', port: 3 })
    expect(readConfig(file, { PROOFLINE_ORG: 'env' }, { org: undefined }).org).toBe('env')
    expect(readConfig(undefined, {}, { data_dir: '/data', public_host: 'example.org' })).toMatchObject({
      data_dir: '/data',
      public_host: 'example.org',
    })
  })

  it('takes DATABASE_URL, but PROOFLINE_DATABASE_URL before it and both before the file', () => {
    const file = 'database: { url: "postgres://file/x" }'
    expect(readConfig(file, { DATABASE_URL: 'postgres://a/x' }).database.url).toBe('postgres://a/x')
    expect(
      readConfig(file, { DATABASE_URL: 'postgres://a/x', PROOFLINE_DATABASE_URL: 'postgres://b/x' }).database.url,
    ).toBe('postgres://b/x')
    expect(readConfig(file, { DATABASE_URL: '' }).database.url).toBe('postgres://file/x')
  })

  it.each([
    'postgresql://user@db:5432/x',
    'postgres://user:a%2Fb@db/x?sslmode=require',
    'postgresql://user@/x?host=/run/postgresql',
    'postgresql://user@%2Frun%2Fpostgresql/x',
    'socket:/run/postgresql?db=x',
  ])('takes the address %s', (url) => {
    expect(readConfig(undefined, { DATABASE_URL: url }).database.url).toBe(url)
  })

  it('makes of the environment what the schema wants: numbers, booleans, lists, and text that looks like neither', () => {
    const destinations = 'destinations: { main-siem: { type: elastic, url: "https://siem.example", username: u } }'
    const config = readConfig(destinations, {
      PROOFLINE_DATABASE_CONNECTIONS: '20',
      PROOFLINE_LOG_PUBLIC: 'true',
      PROOFLINE_ORG: '2024',
      PROOFLINE_HTTP_LIMITS_UPLOADS: '8',
      PROOFLINE_HTTP_TRUSTED_PROXIES: '10.0.0.1, 10.0.0.2',
      PROOFLINE_DESTINATIONS_MAIN_SIEM_PASSWORD: '0123456',
      PROOFLINE_DESTINATIONS_MAIN_SIEM_LOOK_DELAYS_MS: '[1, 2]',
      PROOFLINE_DESTINATIONS_MAIN_SIEM_RETRY_DELAYS_MS: '3,4',
    })
    expect(config).toMatchObject({
      org: '2024',
      database: { connections: 20 },
      log: { public: true },
      http: { limits: { uploads: 8 }, trusted_proxies: ['10.0.0.1', '10.0.0.2'] },
    })
    const siem = config.destinations['main-siem']
    expect(siem).toMatchObject({ look_delays_ms: [1, 2], retry_delays_ms: [3, 4] })
    expect(siem?.type === 'elastic' && siem.password?.reveal()).toBe('0123456')
  })

  it('takes the secret of the sign-in from the environment, and shows it nowhere', () => {
    const text = 'http: {public_url: "https://p.example"}\nlogin: {issuer: "https://sso.example", client_id: p, roles: [{claim: groups, value: a, scopes: [audit]}]}' // oxfmt-ignore
    const config = readConfig(text, { PROOFLINE_LOGIN_CLIENT_SECRET: 'planted' })
    expect(config.login?.client_secret?.reveal()).toBe('planted')
    expect(JSON.stringify(withoutSecrets(config))).not.toContain('planted')
  })

  it('takes a destination from the environment alone', () => {
    const { destinations } = readConfig(undefined, {
      PROOFLINE_DESTINATIONS_SPLUNK_TYPE: 'splunk',
      PROOFLINE_DESTINATIONS_SPLUNK_URL: 'https://hec.example:8088',
      PROOFLINE_DESTINATIONS_SPLUNK_TOKEN: '00000001',
      PROOFLINE_DESTINATIONS_SPLUNK_PROOF: 'answer',
    })
    const { splunk } = destinations
    expect(splunk?.type === 'splunk' && splunk.token?.reveal()).toBe('00000001')
  })

  it.each<[string, string | undefined, Environment, Record<string, string>, RegExp]>([
    ['an unknown key', 'htpp: { port: 1 }', {}, {}, /^htpp: there is no such setting$/],
    [
      'a sign-in without an address of its own',
      'login: {issuer: "https://sso.example", client_id: p, roles: [{claim: groups, value: a, scopes: [audit]}]}',
      {},
      {},
      /^http\.public_url: is needed for login/,
    ],
    [
      'a sign-in that would push',
      'login: {issuer: "https://sso.example", client_id: p, roles: [{claim: groups, value: a, scopes: [push]}]}',
      {},
      {},
      /^login\.roles\.0\.scopes\.0: /,
    ],
    [
      'a sign-in for ever',
      'login: {issuer: "https://sso.example", client_id: p, session_hours: 25, roles: [{claim: groups, value: a, scopes: [audit]}]}',
      {},
      {},
      /^login\.session_hours: /,
    ],
    [
      'a sign-in by plain http',
      'login: {issuer: "http://sso.example", client_id: p, roles: [{claim: groups, value: a, scopes: [audit]}]}',
      {},
      {},
      /^login\.issuer: is no https address/,
    ],
    [
      'a client secret twice',
      'login: {issuer: "https://sso.example", client_id: p, client_secret: a, client_secret_file: b, roles: [{claim: groups, value: a, scopes: [audit]}]}',
      {},
      {},
      /^login\.client_secret: and client_secret_file exclude/,
    ],
    ['an unknown key below another', 'http: { prot: 1 }', {}, {}, /^http\.prot: there is no such setting$/],
    [
      'an unknown variable',
      undefined,
      { PROOFLINE_HTTP_PROT: '1' },
      {},
      /^PROOFLINE_HTTP_PROT: there is no such setting$/,
    ],
    [
      'a variable of a destination that is not there',
      undefined,
      { PROOFLINE_DESTINATIONS_X_TOKEN: 'a' },
      {},
      /^PROOFLINE_DESTINATIONS_X_TOKEN: there is no such setting$/,
    ],
    [
      'a variable of another kind of destination',
      undefined,
      { PROOFLINE_DESTINATIONS_X_TYPE: 'elastic', PROOFLINE_DESTINATIONS_X_TOKEN: 'a' },
      {},
      /X_TOKEN: there is no such setting/,
    ],
    [
      'a token that could be a word',
      undefined,
      {
        PROOFLINE_DESTINATIONS_X_TYPE: 'splunk',
        PROOFLINE_DESTINATIONS_X_URL: 'https://x.example',
        PROOFLINE_DESTINATIONS_X_TOKEN: 'seven77',
        PROOFLINE_DESTINATIONS_X_PROOF: 'answer',
      },
      {},
      /^destinations\.x\.token: has fewer than 8 characters$/,
    ],
    ['a number that is none', undefined, { PROOFLINE_PORT: '80a' }, {}, /^http\.port: .*number/],
    ['a port that is none, from the command line', undefined, {}, { port: '70000' }, /^http\.port: /],
    ['a boolean that is none', undefined, { PROOFLINE_LOG_PUBLIC: 'yes' }, {}, /^log\.public: .*boolean/],
    ['a number where the file needs text', 'org: 2024', {}, {}, /^org: .*string/],
    ['a file that is no mapping', '- a\n- b\n', {}, {}, /is not a mapping/],
    ['a file that is no YAML', 'a: [1', {}, {}, /./],
    [
      'a file whose line with a secret is no YAML',
      'org: a\npassword: "hunter2\n',
      {},
      {},
      /^line \d+: (?![^]*hunter2)/,
    ],
    ['an alias without its anchor', 'org: *a\n', {}, {}, /alias/],
    ['brackets without end', `org: ${'['.repeat(50_000)}`, {}, {}, /./],
    ['a key twice', 'org: a\norg: b\n', {}, {}, /unique/i],
    [
      'rights for a database that is not named',
      'database: { owner_url: "postgres://x/y" }',
      {},
      {},
      /^database\.owner_url: is given without database\.url$/,
    ],
    [
      'a password that ends the address it stands in',
      undefined,
      { DATABASE_URL: 'postgres://user:hunter2/hunter3@db/x' },
      {},
      /^database\.url: cannot be read(?![^]*hunter)/,
    ],
    ['a certificate without its key', 'http: { tls: { certificate_file: a.pem } }', {}, {}, /^http\.tls\.key_file: /],
    ['a destination of no kind', 'destinations: { a: { url: "https://x" } }', {}, {}, /^destinations\.a\.type: /],
    [
      'a missing secret',
      'destinations: { a: { type: splunk, url: "https://x", proof: answer } }',
      {},
      {},
      /^destinations\.a\.token: is missing: give token or token_file$/,
    ],
    [
      'a secret given twice',
      'destinations: { a: { type: splunk, url: "https://x", proof: answer, token: a-token-of-ours, token_file: b } }',
      {},
      {},
      /^destinations\.a\.token: is given twice/,
    ],
    [
      'two ways to log in',
      'destinations: { a: { type: elastic, url: "https://x", api_key: a-key-of-ours, username: u, password: p } }',
      {},
      {},
      /^destinations\.a\.username: is given besides api_key/,
    ],
    [
      'a key without its certificate',
      'destinations: { a: { type: elastic, url: "https://x", client_key_file: key.pem } }',
      {},
      {},
      /^destinations\.a\.client_certificate_file: is missing beside client_key_file$/,
    ],
    [
      'a start that is none',
      'destinations: { a: { type: elastic, url: "https://x", start: yesterday } }',
      {},
      {},
      /^destinations\.a\.start: is none of beginning, now, a time such as /,
    ],
    [
      'a name that is none',
      'destinations: { My_SIEM: { type: elastic, url: "https://x" } }',
      {},
      {},
      /^destinations\.My_SIEM: is no name: a-z, 0-9/,
    ],
  ])('refuses %s by its name', (_what, file, env, flags, message) => {
    expect(refusal(file, env, flags)).toMatch(message)
  })

  it('never says the value that it refuses, which may be a secret in the wrong place', () => {
    expect(refusal('http: { port: hunter2 }')).not.toContain('hunter2')
    expect(
      refusal(
        'destinations: { a: { type: splunk, url: "https://user:hunter2@x", token: a-token-of-ours, proof: answer } }',
      ),
    ).not.toContain('hunter2')
  })

  it('refuses a trust policy that speaks for another org, and takes one for its own', () => {
    const policy = (org: string): string =>
      `org: acme\nidentity: { audience: 'https://x.example', issuers: [{ provider: github, rules: [{ owner_id: '65', org: ${org} }] }] }`
    expect(refusal(policy('other'))).toBe('identity.issuers.0.rules.0.org: is not acme, the only one here')
    expect(readConfig(policy('acme'), {}).identity.issuers[0]).toMatchObject({
      name: 'github',
      issuer: 'https://token.actions.githubusercontent.com',
      host: 'github.com',
      algorithms: ['RS256'],
    })
  })

  it('leaves other variables alone', () => {
    const env = {
      PROOFLINE_URL: 'x',
      PROOFLINE_TOKEN: 'y',
      PROOFLINE_TOKEN_FILE: 'z',
      PROOFLINE_ID_TOKEN: 'i',
      PROOFLINE_AUDIENCE: 'a',
      PROOFLINE_DEBUG: '1',
      PROOFLINE_RESTARTED: '1',
      PROOFLINE_ORG: '',
      HOME: '/',
    }
    expect(readConfig(undefined, env)).toEqual(readConfig(undefined, {}))
    expect(readConfig(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }).otlp).toEqual([
      { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', url: 'http://x' },
    ])
  })
})

describe('withoutSecrets', () => {
  it('shows neither passwords in addresses nor what is a secret', () => {
    const webhook = 'watch: { webhook: { url: "https://a:hunter5@chat.example/services/hunter6?x=hunter7" } }'
    const file = `destinations: { a: { type: splunk, url: "https://x", proof: answer, token: hunter1-token } }\n${webhook}`
    const env = {
      DATABASE_URL: 'postgres://user:hunter2@hunter8@db/x?sslpassword=hunter3&sslmode=require',
      PROOFLINE_DATABASE_OWNER_URL: 'postgres://db/x?user=a&password=hunter4',
    }
    const shown = JSON.stringify([
      withoutSecrets(readConfig(file, env)),
      withoutSecrets(readConfig('watch: { webhook: { url: "https://a:hunter8@chat.example/#hunter9" } }', { DATABASE_URL: 'postgres://user:12/hunter2@db/x' })),
    ]) // oxfmt-ignore
    expect(shown).not.toMatch(/hunter/)
    expect(shown).toContain('"url":"https://chat.example/[secret]"')
    expect(shown).toContain('postgres://user:[secret]@db/x?sslpassword=[secret]&sslmode=require')
  })
})
