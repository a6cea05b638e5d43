import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { httpOutcome } from '../../src/delivery/http-answers.ts'
import { outgoingOf, type Wire } from '../../src/delivery/wire.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'

let authority: Authority
let stranger: Authority
beforeAll(() => {
  authority = createAuthority('Acme Test CA')
  stranger = createAuthority('Another CA')
})
afterAll(() => {
  authority.remove()
  stranger.remove()
})
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(30_000)
})

async function server(options: ServerOptions, shown: (string | undefined)[] = []) {
  const made = createServer(options, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate()
    shown.push(subject === undefined ? undefined : String(subject.CN))
    request.resume().on('end', () => response.end('ok'))
  })
  let connections = 0
  made.on('secureConnection', () => connections++)
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    made.close()
    made.closeAllConnections()
  })
  const { port } = made.address() as AddressInfo
  return { port, made, shown, connections: () => connections }
}

async function freePort(): Promise<number> {
  const { made, port } = await server({})
  await new Promise((resolve) => made.close(resolve))
  return port
}

/** A folder whose files are replaced, each version with a time of its own. */
function folder() {
  const made = mkdtempSync(join(tmpdir(), 'proofline-tls-'))
  closers.push(() => rmSync(made, { recursive: true }))
  let version = 0
  const touch = (path: string): string => {
    const at = new Date(Date.now() + ++version * 1_000)
    utimesSync(path, at, at)
    return path
  }
  return {
    put(name: string, from: string): string {
      copyFileSync(from, join(made, name))
      return touch(join(made, name))
    },
    write(name: string, text: string): string {
      writeFileSync(join(made, name), text)
      return touch(join(made, name))
    },
  }
}

async function client(port: number, wire: Partial<Wire>, host = 'siem.acme.example') {
  let clock = 0
  const settings = { url: `https://${host}:${port}`, allow_metadata_addresses: false, ...wire }
  const outgoing = await outgoingOf(
    settings as Wire,
    1,
    'none',
    () => clock,
    async () => ['127.0.0.1'],
  )
  closers.push(outgoing.close)
  return {
    outgoing,
    /** A second later, so that files are looked at again. */
    ask: (body = Buffer.from('{}')) => {
      clock += 1_000
      return outgoing.request({ method: 'POST', path: '/x', headers: {}, body, timeoutMs: 5_000 }, signal)
    },
  }
}

describe('a certificate that is not believed', () => {
  const days = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10)

  it.each([
    ['has expired', () => authority.issue('siem.acme.example', -3), 'CERT_HAS_EXPIRED', -3],
    ['is of another authority', () => stranger.issue('siem.acme.example', 50), /^UNABLE_TO_/, 50],
    ['is for another name', () => authority.issue('other.example', 50), 'ERR_TLS_CERT_ALTNAME_INVALID', 50],
  ] as const)(
    'case 2: that %s blocks, and the reason names address, phase, subject and end',
    async (_, issue, code, end) => {
      const { cert, key } = issue()
      const { port, shown } = await server({ cert, key })
      const { ask, outgoing } = await client(port, { ca_file: authority.caFile })
      const answer = await ask()
      expect(answer).toMatchObject({ kind: 'failure', phase: 'tls', wrote: false, address: `127.0.0.1:${port}` })
      expect(answer.kind === 'failure' && answer.code).toMatch(code)
      const outcome = httpOutcome(answer)
      expect(outcome).toMatchObject({ kind: 'unsent', block: 'certificate' })
      const name = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? 'other.example' : 'siem.acme.example'
      expect('reason' in outcome && outcome.reason).toMatch(
        new RegExp(`^tls 127\\.0\\.0\\.1:${port}: .*; certificate CN=${name}, valid until ${days(end)}$`),
      )
      // Its end is known to metric and alert although nothing was ever sent.
      expect(outgoing.certificates()).toMatchObject([{ subject: name }])
      expect(shown).toEqual([])
    },
  )

  it('is believed as soon as the file with its authority is there, without a restart', async () => {
    const { cert, key } = stranger.issue('siem.acme.example')
    const { port } = await server({ cert, key })
    const files = folder()
    const { ask } = await client(port, { ca_file: files.put('ca.pem', authority.caFile) })
    expect(await ask()).toMatchObject({ kind: 'failure', phase: 'tls' })
    files.put('ca.pem', stranger.caFile)
    expect(await ask()).toMatchObject({ kind: 'answer', status: 200 })
  })
})

describe('a client certificate', () => {
  const demanding = () => {
    const { cert, key } = authority.issue('siem.acme.example')
    return { cert, key, ca: authority.ca, requestCert: true, rejectUnauthorized: true }
  }

  it('that was replaced is shown by the next request, over a connection of its own, and half a replacement changes nothing', async () => {
    const { port, shown, connections } = await server(demanding())
    const [first, second] = [authority.issue('proofline-1', 9), authority.issue('proofline-2', 90)]
    const files = folder()
    const wire = {
      ca_file: authority.caFile,
      client_certificate_file: files.put('client.pem', first.certFile),
      client_key_file: files.put('client.key', first.keyFile),
    }
    const { ask, outgoing } = await client(port, wire)
    await ask()
    await ask()
    files.put('client.pem', second.certFile)
    await ask()
    expect(shown).toEqual(['proofline-1', 'proofline-1', 'proofline-1'])
    expect(connections()).toBe(1)
    files.put('client.key', second.keyFile)
    await ask()
    expect(shown.at(-1)).toBe('proofline-2')
    expect(connections()).toBe(2)
    files.write('client.pem', 'half a fi')
    await ask()
    expect(shown.at(-1)).toBe('proofline-2')
    expect(connections()).toBe(2)
    const known = outgoing.certificates().map(({ subject, expiresAt }) => `${subject} ${Math.round((expiresAt / 1000 - Date.now()) / 86_400_000)}`) // oxfmt-ignore
    expect(known).toEqual(['siem.acme.example 100', 'own client certificate proofline-2 90'])
  })

  it('that the server refuses blocks: it is no network that comes and goes', async () => {
    // A server of node hangs up without a word; those in front of a SIEM say why.
    const { certFile: own, keyFile: ownKey } = authority.issue('siem.acme.example')
    const port = await freePort()
    const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', own, '-key', ownKey, '-CAfile', authority.caFile, '-Verify', '1', '-verify_return_error', '-www'] // oxfmt-ignore
    const other = spawn('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    closers.push(() => other.kill())
    await new Promise((resolve) => other.stdout.once('data', resolve))
    const { certFile, keyFile } = stranger.issue('proofline')
    const { ask } = await client(port, {
      ca_file: authority.caFile,
      client_certificate_file: certFile,
      client_key_file: keyFile,
    })
    expect(httpOutcome(await ask())).toMatchObject({ block: 'certificate' })
    const none = await client(port, { ca_file: authority.caFile })
    expect(httpOutcome(await none.ask())).toMatchObject({ block: 'certificate' })
  })

  it('that does not belong to its key stops the start, with the names of the settings', async () => {
    const [one, other] = [authority.issue('a'), authority.issue('b')]
    const wire = { client_certificate_file: one.certFile, client_key_file: other.keyFile }
    await expect(client(1, wire)).rejects.toThrow(/^client_certificate_file, client_key_file: .*key values mismatch/)
    await expect(client(1, { ca_file: folder().write('ca.pem', 'no certificate') })).rejects.toThrow(/^ca_file: /)
  })
})
