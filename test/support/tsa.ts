import { execFile, execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listen } from './http-fake.ts'

/** A time-stamping authority: `openssl ts -reply` behind HTTP, with a chain of root, intermediate and signer. */
export interface Tsa {
  url: string
  /** PEM of the root. */
  ca: string
  caFile: string
  folder: string
  /** The info of this token, signed again by `openssl cms` with another certificate or otherwise: what no authority would give. */
  resign(token: Uint8Array, settings?: ResignSettings): Buffer
  /** Answers one query without HTTP. */
  reply(query: Uint8Array): Promise<Buffer>
  /** Instead of `openssl ts -reply`; undefined: as before. */
  answerBy(handle: ((request: IncomingMessage, response: ServerResponse, query: Buffer) => Promise<void>) | undefined): void
  close(): Promise<void>
} // oxfmt-ignore

export interface ResignSettings {
  /** Extended key usage of the certificate. */
  usage?: string
  /** When it was valid, in days from now. */
  from?: number
  to?: number
  options?: string[]
  type?: string
}

export interface TsaSettings {
  key?: 'rsa' | 'ec'
  /** Of the signer's certificate. */
  usage?: string
  /** `v1`: the signature names its certificate by SHA-1, as older authorities do. */
  essCertId?: 'v1' | 'v2'
  days?: number
}

export async function startTsa({ key = 'rsa', usage = 'critical,timeStamping', essCertId = 'v2', days = 300 }: TsaSettings = {}): Promise<Tsa> {
  const folder = mkdtempSync(join(tmpdir(), 'proofline-tsa-'))
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const kind = key === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  openssl('req', '-x509', ...kind, '-nodes', '-days', '400', '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/CN=Test Root')
  const issue = (name: string, subject: string, by: string, extensions: string): void => {
    writeFileSync(join(folder, `${name}.ext`), extensions)
    openssl('req', ...kind, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${subject}`)
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', String(days), '-extfile', `${name}.ext`, '-out', `${name}.pem`)
  }
  issue('middle', 'Test Intermediate', 'root', 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n')
  issue('tsa', 'Test TSA', 'middle', `basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=${usage}\n`)
  writeFileSync(join(folder, 'serial'), '01\n')
  writeFileSync(
    join(folder, 'tsa.cnf'),
    `[tsa]
default_tsa = own
[own]
serial = serial
signer_cert = tsa.pem
certs = middle.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
ess_cert_id_alg = ${essCertId === 'v1' ? 'sha1' : 'sha256'}
`,
  )
  let turn: Promise<unknown> = Promise.resolve() // one serial file
  const reply = (query: Uint8Array): Promise<Buffer> => {
    const mine = turn.then(async () => {
      const name = randomUUID()
      await writeFile(join(folder, `${name}.tsq`), query)
      const args = ['ts', '-reply', '-config', 'tsa.cnf', '-section', 'own', '-queryfile', `${name}.tsq`, '-out', `${name}.tsr`]
      await promisify(execFile)('openssl', args, { cwd: folder })
      return readFile(join(folder, `${name}.tsr`))
    })
    turn = mine.catch(() => undefined)
    return mine
  }
  const resign: Tsa['resign'] = (token, { usage = 'critical,timeStamping', from = -1, to = 100, options = ['-cades'], type = '1.2.840.113549.1.9.16.1.4' } = {}) => {
    const name = randomUUID()
    writeFileSync(join(folder, `${name}.token`), token)
    openssl('cms', '-verify', '-noverify', '-inform', 'DER', '-in', `${name}.token`, '-binary', '-out', `${name}.info`)
    const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14) + 'Z'
    writeFileSync(join(folder, `${name}.ext`), `basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=${usage}\n`)
    writeFileSync(join(folder, `${name}.cnf`), `[ca]\ndefault_ca=own\n[own]\ndatabase=${name}.index\nnew_certs_dir=.\ncertificate=middle.pem\nprivate_key=middle.key\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n`)
    writeFileSync(join(folder, `${name}.index`), '')
    openssl('req', ...kind, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=Another')
    openssl('ca', '-batch', '-notext', '-config', `${name}.cnf`, '-startdate', day(from), '-enddate', day(to), '-extfile', `${name}.ext`, '-in', `${name}.csr`, '-out', `${name}.pem`)
    openssl('cms', '-sign', '-nodetach', '-binary', '-outform', 'DER', '-econtent_type', type, '-signer', `${name}.pem`, '-inkey', `${name}.key`, '-certfile', 'middle.pem', '-in', `${name}.info`, '-out', `${name}.signed`, ...options)
    return readFileSync(join(folder, `${name}.signed`))
  }
  let handler: Parameters<Tsa['answerBy']>[0]
  const server = await listen(async (request, response) => {
    const query = Buffer.concat((await request.toArray()) as Buffer[])
    if (handler !== undefined) return handler(request, response, query)
    if (request.headers['content-type'] !== 'application/timestamp-query') return void response.writeHead(415).end()
    response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(await reply(query))
  })
  return {
    url: `${server.url}/tsr`,
    ca: readFileSync(join(folder, 'root.pem'), 'utf8'),
    caFile: join(folder, 'root.pem'),
    folder,
    resign,
    reply,
    answerBy(handle) {
      handler = handle
    },
    async close() {
      await server.close()
      rmSync(folder, { recursive: true })
    },
  }
} // oxfmt-ignore

/** What `openssl ts -verify` says about a token over these bytes: undefined for yes. */
export async function opensslRefuses(token: Uint8Array, bytes: Uint8Array, caFile: string): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'proofline-ts-'))
  try {
    await writeFile(join(folder, 'token'), token)
    await writeFile(join(folder, 'note'), bytes)
    const args = ['ts', '-verify', '-token_in', '-in', 'token', '-data', 'note', '-CAfile', caFile]
    await promisify(execFile)('openssl', args, { cwd: folder })
    return undefined
  } catch (error) {
    return (error as { stderr?: string }).stderr ?? String(error)
  } finally {
    rmSync(folder, { recursive: true })
  }
} // oxfmt-ignore
