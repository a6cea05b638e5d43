import { isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Problem } from '../record/problem.ts'
import { describe, shownBy, toCertificate } from './certificate.ts'
import { dialDirect, open, printAddress } from './connect.ts'
import { ConnectError } from './connect-error.ts'
import { createResolver, type LookUp } from './resolve.ts'
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

/**
 * Name, port, certificate, of every address: three steps, since each has its own remedy; `what` begins their names. True when one can be
 * used: then those that cannot are a warning, since requests pass them by.
 */
export async function checkConnection(
  steps: Steps,
  what: string,
  wire: Wire,
  now: Date,
  lookUp?: LookUp,
): Promise<boolean> {
  const target = targetOf(new URL(wire.url))
  const [trust, proxy] = await Promise.all([trustOf(wire), proxyOf(wire)])
  const { context, own } = await trust.read()
  let ips: readonly string[] = []
  const isResolved = await steps.run(`${what}: resolve`, async () => {
    if (proxy !== undefined && isIP(target.host) === 0) {
      ips = [target.host]
      return { result: 'ok', detail: `${target.host} is resolved by the proxy ${proxy.url.host}` }
    }
    const allowMetadataAddresses = wire.allow_metadata_addresses
    ips = await createResolver(target.host, { allowMetadataAddresses, lookUp }).addresses()
    const addresses = ips.map((ip) => printAddress(ip, target.port))
    return { result: 'ok', detail: `${target.host} leads to ${addresses.join(', ')}` }
  })
  if (!isResolved) return false
  const tried = await Promise.all(
    ips.map(async (ip) => {
      const address = printAddress(ip, target.port)
      const dial = proxy === undefined ? dialDirect(ip, target.port) : dialThrough(proxy, ip, target.port)
      const reached = await open(dial, target, address, context, connectTimeoutMs).catch(toConnectError)
      return { address, reached }
    }),
  )
  const isUsable = tried.some(({ reached }) => !(reached instanceof ConnectError))
  for (const { address, reached } of tried) {
    for (const [phase, verdict] of verdictsOn(address, reached, target.secure, now)) {
      const result = verdict.result === 'failed' && isUsable ? 'warning' : verdict.result
      await steps.run(`${what}: ${phase}`, async () => ({ ...verdict, result }))
    }
    if (!(reached instanceof ConnectError)) reached.destroy()
  }
  if (own !== undefined) {
    const detail = `${own.subject}, ${daysLeft(own.expiresAt, now)} days left`
    const result = isLate(own.expiresAt, now) ? 'warning' : 'ok'
    await steps.run(`${what}: client certificate`, async () => ({ result, detail }))
  }
  if (isUsable && !target.secure && !/^(localhost|127\.|::1)/.test(target.host))
    await steps.run(`${what}: tls`, async () => ({
      result: 'warning',
      detail: 'not encrypted: the credential travels in clear',
    }))
  return isUsable
}

function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error
  throw error
}

/** By phase, up to the one that failed. A proxy that does not resolve is no phase of its own. */
function verdictsOn(address: string, reached: Socket | ConnectError, secure: boolean, now: Date): [string, Verdict][] {
  const connected: [string, Verdict] = ['connect', { result: 'ok', detail: address }]
  if (!(reached instanceof ConnectError))
    return [connected, ...(secure ? [['tls', certificateVerdict(reached, now)] satisfies [string, Verdict]] : [])]
  return reached.phase === 'tls' ? [connected, ['tls', failed(reached)]] : [['connect', failed(reached)]]
}

function certificateVerdict(socket: Socket, now: Date): Verdict {
  const certificate = shownBy(socket)
  if (certificate === undefined) return { result: 'warning', detail: 'the server shows no certificate' }
  const { expiresAt } = toCertificate(certificate)
  const protocol = socket instanceof TLSSocket ? (socket.getProtocol() ?? '') : ''
  const detail = `${describe(certificate)}, ${daysLeft(expiresAt, now)} days left, ${protocol}`
  return { result: isLate(expiresAt, now) ? 'warning' : 'ok', detail }
}

const daysLeft = (expiresAt: number, now: Date): number => Math.floor((expiresAt / 1000 - now.getTime()) / dayMs)
const isLate = (expiresAt: number, now: Date): boolean => daysLeft(expiresAt, now) < warnDays
