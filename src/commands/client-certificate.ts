import { readFileSync } from 'node:fs'
import type { Environment } from '../producer/ci-facts.ts'
import { Problem } from '../record/problem.ts'

/**
 * For a service that asks for one (`http.tls.client_ca_file`); shown to no other server. Throws Problem request_invalid for files that cannot
 * be read, and for one without the other.
 */
export function clientCertificate(env: Environment): { certificate?: { cert: Buffer; key: Buffer } } {
  const certFile = env['PROOFLINE_CLIENT_CERTIFICATE_FILE'] ?? ''
  const keyFile = env['PROOFLINE_CLIENT_KEY_FILE'] ?? ''
  if (certFile === '' && keyFile === '') return {}
  if (certFile === '' || keyFile === '')
    throw new Problem('request_invalid', 'PROOFLINE_CLIENT_CERTIFICATE_FILE and PROOFLINE_CLIENT_KEY_FILE go together')
  try {
    return { certificate: { cert: readFileSync(certFile), key: readFileSync(keyFile) } }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('request_invalid', `the client certificate cannot be read: ${why}`, { cause })
  }
}
