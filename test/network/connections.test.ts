import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/**
 * Every file of src that can reach beyond this process, and by what. Whoever adds one decides here how it keeps from redirects and metadata
 * addresses; what sends somewhere by HTTP has an entry in outgoing.test.ts too.
 */
const reaching: Readonly<Record<string, string>> = {
  // The door: resolved, looked at, connected to at the very address; followed nowhere.
  'delivery/resolve.ts': 'names, looked at before a connection',
  'delivery/connect.ts': 'sockets, to an address that was looked at',
  'delivery/pools.ts': 'HTTP over these sockets; a pool of undici follows no redirect',
  'delivery/tunnel.ts': 'the tunnel of a proxy, over these sockets',
  'delivery/outgoing.ts': 'isIP',
  'delivery/preflight.ts': 'isIP, and the class of a socket of these',
  'delivery/certificate.ts': 'the class of a socket of these',
  'delivery/wire.ts': 'makes a secure context, connects to nothing',
  'network/addresses.ts': 'the list itself',
  'network/guard.ts': 'names, looked at before a connection',
  // node's HTTP behind the guard; it follows no redirect.
  'producer/client.ts': 'the service, an issuer of tokens, a published log',
  'objects/s3-client.ts':
    "S3; the SDK's own requests for the credentials of a role go to metadata services, as they must",
  // With no door of ours.
  'telemetry/telemetry.ts': 'OTLP, whose endpoints are looked at once at the start (service/otlp-endpoints.ts)',
  'database/session.ts': 'PostgreSQL, at database.url',
  'database/database.ts': 'PostgreSQL, at database.url',
  'database/connection.ts': 'PostgreSQL, at database.url',
  'database/migrate.ts': 'PostgreSQL, at database.owner_url',
  'database/embedded.ts': 'PostgreSQL of its own, on this machine',
  'database/failure.ts': 'the class of an error',
  'database/embedded-lock.ts': 'a socket of this machine',
  'signing/remote.ts': 'the Unix socket of the signer',
  // Servers.
  'signing/serve-signer.ts': 'a Unix socket, and whether one is in use',
  'signing/serve-witness.ts': 'a server',
  'http/server.ts': 'the server',
  'http/tls.ts': 'its certificates',
  'http/address.ts': 'ranges of addresses that callers have',
  // Programs.
  'signing/command.ts': 'signer.command, as the operator wrote it',
  'database/embedded-binaries.ts': 'PostgreSQL',
  'database/embedded-process.ts': 'PostgreSQL',
  'database/embedded-account.ts': 'id, chown',
  'producer/git.ts': 'git, in the checkout',
  'producer/compare.ts': 'git, in the checkout',
  'producer/identity-token.ts': 'buildkite-agent or circleci, and a function named fetch',
  // Functions named fetch that are given or local.
  'access/issuer-keys.ts': 'given by service/identity.ts, which asks by the door',
  'ledger/stored-segments.ts': 'reads the database',
}

const signs = [
  /^import (?!type )[^'";]*?from 'node:(?:net|tls|http|https|http2|dgram|dns|dns\/promises|child_process|cluster|inspector)'/m,
  /^import (?!type )[^'";]*?from '(?:undici|pg|@aws-sdk\/[^']+|@opentelemetry\/(?:sdk-node|exporter-(?!prometheus)[^']+))'/m,
  /\bimport\('(?:node:|undici|pg|@aws-sdk\/|@opentelemetry\/)/,
  /\b(?:getBuiltinModule\((?!'node:fs'\))|createRequire\(|binding\(|dlopen\()/,
  /\b(?:fetch|WebSocket|EventSource|XMLHttpRequest)\(/,
]

const src = join(import.meta.dirname, '../../src')
const codeOf = (file: string): string =>
  readFileSync(join(src, file), 'utf8').replaceAll(/\/\*[^]*?\*\/|(?<!:)\/\/.*$/gm, '')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'))

describe('src', () => {
  it('reaches beyond its process in these files, and in no other', () => {
    const found = files.filter((file) => signs.some((sign) => sign.test(codeOf(file))))
    expect(found.toSorted()).toEqual(Object.keys(reaching).toSorted())
  })

  it('follows no redirect anywhere: neither undici nor anything else is told to', () => {
    const told = /\b(?:maxRedirections|interceptors\.redirect|followRegionRedirects|redirect:\s*'follow')/
    expect(files.filter((file) => told.test(codeOf(file)))).toEqual([])
  })
})
