import { isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Problem } from '../record/problem.ts'
import { type Certificate, describe, shownBy, toCertificate } from './certificate.ts'
import { dialDirect, open, printAddress } from './connect.ts'
import { ConnectError } from './connect-error.ts'
import { createResolver } from './resolve.ts'
import { dialThrough, targetOf } from './tunnel.ts'
import { connectTimeoutMs, proxyOf, trustOf, type Wire } from './wire.ts'

/** What was found at one step of a preflight. `warning`: it works, and a person should know; `skipped`: nothing could be said. */
export interface Step {
  step: string
  result: 'ok' | 'warning' | 'failed' | 'skipped'
  detail: string
  ms: number
}

export type Verdict = Omit<Step, 'step' | 'ms'>

/** Runs steps one after the other and keeps what they say; a step that throws has failed. After a failure `go` skips what needs it. */
export interface Steps {
  readonly list: Step[]
  /** True unless it failed. */
  run(step: string, work: () => Promise<Verdict>): Promise<boolean>
}

export function createSteps(monotonicMs: () => number = () => performance.now()): Steps {
  const list: Step[] = []
  return {
    list,
    async run(step, work) {
      const startedMs = monotonicMs()
      const verdict = await work().catch((error: unknown): Verdict => {
        if (error instanceof ConnectError) return failed(error)
        if (!(error instanceof Problem)) throw error
        return { result: 'failed', detail: error.message }
      })
      list.push({ step, ...verdict, ms: Math.round(monotonicMs() - startedMs) })
      return verdict.result !== 'failed'
    },
  }
}

const failed = ({ phase, address, code, message }: ConnectError): Verdict => ({
  result: 'failed',
  detail: `${phase} ${address}: ${code} ${message}`,
})

const dayMs = 86_400_000
/** Fewer days than these are a warning: long enough to get a new certificate. */
const warnDays = 30

/** Name, port, certificate, of every address: three steps, since each has its own remedy. True when one can be used. `what` begins their names. */
export async function checkConnection(steps: Steps, what: string, wire: Wire, now: Date): Promise<boolean> {
  const url = new URL(wire.url)
  const target = targetOf(url)
  const [trust, proxy] = await Promise.all([trustOf(wire), proxyOf(wire)])
  const { context, own } = await trust.read()
  let ips: readonly string[] = []
  const isResolved = await steps.run(`${what}: resolve`, async () => {
    if (proxy !== undefined && isIP(target.host) === 0) {
      ips = [target.host]
      return { result: 'ok', detail: `${target.host} is resolved by the proxy ${proxy.url.host}` }
    }
    ips = await createResolver(target.host, { allowMetadataAddresses: wire.allow_metadata_addresses }).addresses()
    return {
      result: 'ok',
      detail: `${target.host} leads to ${ips.map((ip) => printAddress(ip, target.port)).join(', ')}`,
    }
  })
  if (!isResolved) return false
  let usable = 0
  for (const ip of ips) {
    const address = printAddress(ip, target.port)
    const dial = proxy === undefined ? dialDirect(ip, target.port) : dialThrough(proxy, ip, target.port)
    const reached = await open(dial, target, address, context, connectTimeoutMs).catch((error: unknown) => {
      if (error instanceof ConnectError) return error
      throw error
    })
    if (await checkAddress(steps, what, address, reached, target.secure, now)) usable++
    if (!(reached instanceof ConnectError)) reached.destroy()
  }
  if (own !== undefined) await steps.run(`${what}: client certificate`, async () => daysVerdict(own, now))
  if (usable > 0 && !target.secure && !/^(localhost|127\.|\[::1\])/.test(url.hostname))
    await steps.run(`${what}: tls`, async () => ({
      result: 'warning',
      detail: 'not encrypted: the credential travels in clear',
    }))
  return usable > 0
}

/** Steps up to the one that failed; false then. */
async function checkAddress(
  steps: Steps,
  what: string,
  address: string,
  reached: Socket | ConnectError,
  secure: boolean,
  now: Date,
): Promise<boolean> {
  const failure = reached instanceof ConnectError ? reached : undefined
  // A proxy that does not resolve is no step of its own.
  const failedAt = failure?.phase === 'tls' ? 'tls' : 'connect'
  for (const phase of ['connect', ...(secure ? ['tls'] : [])]) {
    const ok = await steps.run(`${what}: ${phase}`, async () => {
      if (failure !== undefined && failedAt === phase) return failed(failure)
      if (phase === 'connect' || reached instanceof ConnectError) return { result: 'ok', detail: address }
      return certificateVerdict(reached, now)
    })
    if (!ok) return false
  }
  return true
}

function certificateVerdict(socket: Socket, now: Date): Verdict {
  const certificate = shownBy(socket)
  if (certificate === undefined) return { result: 'warning', detail: 'the server shows no certificate' }
  const { result, detail } = daysVerdict(toCertificate(certificate), now)
  const protocol = socket instanceof TLSSocket ? (socket.getProtocol() ?? '') : ''
  return { result, detail: `${describe(certificate)}, ${detail.replace(/^.*, /, '')}, ${protocol}` }
}

function daysVerdict({ subject, expiresAt }: Certificate, now: Date): Verdict {
  const days = Math.floor((expiresAt / 1000 - now.getTime()) / dayMs)
  return { result: days < warnDays ? 'warning' : 'ok', detail: `${subject}, ${days} days left` }
}
