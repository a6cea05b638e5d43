import type { Certificate } from './certificate.ts'
import type { Phase } from './destination.ts'

/** Why no connection came about: nothing was sent. `certificate`: the one that was refused. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly phase: Phase
  readonly code: string
  readonly address: string
  readonly certificate: Certificate | undefined

  constructor(phase: Phase, code: string, message: string, address: string, certificate?: Certificate) {
    super(message)
    this.phase = phase
    this.code = code
    this.address = address
    this.certificate = certificate
  }
}

export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'UNKNOWN'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
