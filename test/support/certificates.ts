import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An authority of our own and what it signs, as files, made with openssl. */
export interface Authority {
  folder: string
  caFile: string
  ca: Buffer
  /** Certificate and key for a name; `days` may be negative: it has expired. `from`, in days too, may be to come. */
  issue(name: string, days?: number, from?: number): { certFile: string; keyFile: string; cert: Buffer; key: Buffer }
  remove(): void
}

export function createAuthority(name = 'Test CA'): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'proofline-ca-'))
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const caFile = join(folder, 'ca.pem')
  openssl('req', '-x509', ...curve, '-days', '400', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', `/CN=${name}`)
  // Only `openssl ca` takes an end that has passed in every version of OpenSSL 3.
  const config = `[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
`
  writeFileSync(join(folder, 'ca.cnf'), config)
  writeFileSync(join(folder, 'index'), '')
  let issued = 0
  return {
    folder,
    caFile,
    ca: readFileSync(caFile),
    issue(subject, days = 100, from = Math.min(0, days) - 1) {
      const n = ++issued
      const [certFile, keyFile] = [join(folder, `${n}.pem`), join(folder, `${n}.key`)]
      const end = new Date(Date.now() + days * 86_400_000)
      const start = new Date(Date.now() + from * 86_400_000)
      const time = (at: Date): string => `${at.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`
      openssl('req', ...curve, '-keyout', keyFile, '-out', `${n}.csr`, '-subj', `/CN=${subject}`, '-addext', `subjectAltName=DNS:${subject},IP:127.0.0.1,IP:127.0.0.2`) // oxfmt-ignore
      openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', '-startdate', time(start), '-enddate', time(end), '-in', `${n}.csr`, '-out', certFile) // oxfmt-ignore
      return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) }
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}
