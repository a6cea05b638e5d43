import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** What was shown, by a server or by us; `expiresAt` in microseconds. */
export interface Certificate {
  subject: string
  expiresAt: number
}

/** Codes of node's TLS for a certificate that is not to be trusted, ours or theirs: an operator has to act. */
const codes = /^(?:CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|ERR_TLS_CERT|ERR_SSL_TLSV1|ERR_SSL_TLSV13|ERR_SSL_SSLV3)/

export const isCertificateCode = (code: string): boolean => codes.test(code)

/** Undefined without TLS, and for a server that shows none. */
export function shownBy(socket: Socket): X509Certificate | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
}

export function toCertificate({ subject, validTo }: X509Certificate): Certificate {
  const name = /^CN=(.*)$/m.exec(subject ?? '')?.[1] ?? (subject ?? '').replaceAll('\n', ', ')
  return { subject: name, expiresAt: Date.parse(validTo) * 1000 }
}

/** The first certificate of a PEM file. Its own expiry is as good a reason for a silence as the server's. */
export function readOwn(pem: Buffer): Certificate {
  const { subject, expiresAt } = toCertificate(new X509Certificate(pem))
  return { subject: `own client certificate ${subject}`, expiresAt }
}

export function describe({ subject, validTo }: X509Certificate): string {
  const until = new Date(validTo).toISOString().slice(0, 10)
  return `certificate ${(subject ?? '').replaceAll('\n', ', ')}, valid until ${until}`
}
