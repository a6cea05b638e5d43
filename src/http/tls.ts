import { X509Certificate, hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { type SecureContextOptions, type TlsOptions, createSecureContext } from 'node:tls'
import { Problem } from '../record/problem.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { HttpSettings } from './settings.ts'

export type TlsSettings = NonNullable<HttpSettings['tls']>

/** What the service shows: `expiresAt` in microseconds, and what is wrong with the files that should have replaced it. */
export interface ShownCertificate {
  subject: string
  expiresAt: number
  unread: string | undefined
}

/**
 * Certificate and key, and whose client certificates are trusted; read again when the files change. A client certificate is a fence in
 * front of the service, never a credential: what somebody may is what their token says.
 */
export interface Tls {
  options: TlsOptions
  /** From now on this server shows what the files hold. What breaks a rule of `readFiles` never replaces what is shown. */
  follow(server: Server): void
  /** Looks at the files now. */
  reload(): void
  certificate(): ShownCertificate
  close(): void
}

interface Files {
  context: SecureContextOptions
  certificate: X509Certificate
  digest: string
}

/** Those of TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has no others. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Throws Problem request_invalid with the name of the setting. */
export function openTls(settings: TlsSettings, log: Pick<Logger, 'info' | 'warn'>): Tls {
  let shown = readFiles(settings)
  let unread: string | undefined
  let server: Server | undefined
  let timer: NodeJS.Timeout | undefined

  const reload = (): void => {
    try {
      const found = readFiles(settings)
      if (found.digest !== shown.digest) {
        const why = whyNotNow(found)
        if (why !== undefined && whyNotNow(shown) === undefined) throw new Error(why)
        // Connections that are open go on with what they began with; tickets of the old context resume none of the new.
        server?.setSecureContext(found.context)
        shown = found
        log.info('certificate.loaded', { subject: found.certificate.subject, until: found.certificate.validTo })
      }
      unread = undefined
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (why !== unread) log.warn('certificate.unread', { error: why })
      unread = why
    }
  }

  return {
    options: {
      ...shown.context,
      requestCert: settings.client_ca_file !== undefined,
      rejectUnauthorized: settings.client_certificates === 'required',
    },
    follow(given) {
      server = given
      // Where they are optional node lets a bad one in as if it were none. Who shows one means it.
      server.on('secureConnection', (socket) => {
        if (!socket.authorized && socket.getPeerX509Certificate() !== undefined) socket.destroy()
      })
      // By their bytes and a clock: files that are mounted or linked change without an event.
      timer = setInterval(reload, settings.reload_ms).unref()
    },
    reload,
    certificate: () => ({
      subject: shown.certificate.subject.replaceAll('\n', ' '),
      expiresAt: shown.certificate.validToDate.getTime() * 1_000,
      unread,
    }),
    close: () => clearInterval(timer),
  }
}

function whyNotNow({ certificate }: Files): string | undefined {
  const { validFrom, validTo, validFromDate, validToDate } = certificate
  if (validToDate.getTime() <= Date.now()) return `the certificate expired at ${validTo}`
  return validFromDate.getTime() > Date.now() ? `the certificate is not valid before ${validFrom}` : undefined
}

/** Throws Problem request_invalid where a file cannot be read, certificate and key are no pair, or the authorities are none. */
function readFiles({ certificate_file, key_file, client_ca_file }: TlsSettings): Files {
  const cert = readNamed('http.tls.certificate_file', certificate_file)
  const key = readNamed('http.tls.key_file', key_file)
  const ca = client_ca_file === undefined ? undefined : readNamed('http.tls.client_ca_file', client_ca_file)
  const certificate = explained(
    `http.tls.certificate_file: ${certificate_file} holds no certificate in PEM`,
    () => new X509Certificate(cert),
  )
  // An empty list would make node trust every authority of the web.
  if (ca !== undefined)
    explained(`http.tls.client_ca_file: ${client_ca_file} holds no certificate in PEM`, () => new X509Certificate(ca))
  const context: SecureContextOptions = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    ciphers,
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
  }
  explained(`http.tls: ${certificate_file} and ${key_file} are no pair that can be used`, () =>
    createSecureContext(context),
  )
  return { context, certificate, digest: hash('sha256', Buffer.concat([cert, key, ca ?? Buffer.alloc(0)]), 'hex') }
}

function explained<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new Problem('request_invalid', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}

function readNamed(key: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new Problem('request_invalid', `${key}: ${file} cannot be read`, { cause })
  }
}
