import { X509Certificate } from 'node:crypto'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { Problem } from '../record/problem.ts'
import { ConnectError, createConnector } from './connect.ts'
import { type Wire, connectSettingsOf } from './wire.ts'

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
        if (!(error instanceof Problem) && !(error instanceof ConnectError)) throw error
        return { result: 'failed', detail: error.message }
      })
      list.push({ step, ...verdict, ms: Math.round(monotonicMs() - startedMs) })
      return verdict.result !== 'failed'
    },
  }
}

const dayMs = 86_400_000
/** Fewer days than these are a warning: long enough to get a new certificate. */
const warnDays = 30

/** Name, port, certificate: three steps, since each has its own remedy. `what` begins their names. */
export async function checkConnection(steps: Steps, what: string, wire: Wire, now: Date): Promise<boolean> {
  const url = new URL(wire.url)
  const secure = url.protocol === 'https:'
  const settings = await connectSettingsOf(wire)
  let address = ''
  const reached = await new Promise<TLSSocket | ConnectError>((resolve, reject) => {
    const connector = createConnector(settings, (at) => (address = at))
    connector({ hostname: url.hostname, host: url.host, protocol: url.protocol, port: url.port }, (error, socket) => {
      if (error instanceof ConnectError) resolve(error)
      else if (error !== null) reject(error)
      else resolve(socket as TLSSocket) // a plain socket where nothing is encrypted: then only destroyed
    })
  })
  const failure = reached instanceof ConnectError ? reached : undefined
  const at = (failure?.address ?? address) || url.host
  const phases = ['resolve', 'connect', ...(secure ? ['tls'] : [])]
  for (const phase of phases) {
    const failed = failure?.phase === phase
    const ok = await steps.run(`${what}: ${phase}`, async () => {
      if (failed && failure !== undefined) return { result: 'failed', detail: await explain(failure, url, wire) }
      if (phase === 'resolve') return { result: 'ok', detail: `${url.hostname} leads to ${at}` }
      if (phase === 'connect') return { result: 'ok', detail: at }
      return certificateVerdict(reached as TLSSocket, now) // it is no failure, and encrypted
    })
    if (!ok) return false
  }
  if (!(reached instanceof ConnectError)) reached.destroy()
  if (!secure && !/^(localhost|127\.|\[::1\])/.test(url.hostname))
    await steps.run(`${what}: tls`, async () => ({
      result: 'warning',
      detail: 'not encrypted: the credential travels in clear',
    }))
  return true
}

function certificateVerdict(socket: TLSSocket, now: Date): Verdict {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return { result: 'warning', detail: 'the server shows no certificate' }
  const days = Math.floor((Date.parse(certificate.validTo) - now.getTime()) / dayMs)
  return {
    result: days < warnDays ? 'warning' : 'ok',
    detail: `${describe(certificate)}, ${days} days left, ${socket.getProtocol() ?? ''}`,
  }
}

const describe = (certificate: X509Certificate): string =>
  `certificate ${certificate.subject.replaceAll('\n', ', ')}, valid until ${new Date(certificate.validTo).toISOString().slice(0, 10)}`

/** A handshake that failed says little; the certificate that was refused is fetched once more to be named. Nothing is sent to its server. */
async function explain(failure: ConnectError, url: URL, wire: Wire): Promise<string> {
  const said = `${failure.phase} ${failure.address}: ${failure.code} ${failure.message}`
  if (failure.phase !== 'tls') return said
  const { tls, timeoutMs } = await connectSettingsOf(wire)
  return new Promise((resolve) => {
    const socket = connectTls({ ...tls, host: url.hostname, port: Number(url.port || 443), rejectUnauthorized: false })
    const end = (certificate?: X509Certificate): void => {
      socket.destroy()
      resolve(certificate === undefined ? said : `${said}; ${describe(certificate)}`)
    }
    socket.setTimeout(timeoutMs, () => end())
    socket.once('error', () => end())
    socket.once('secureConnect', () => end(socket.getPeerX509Certificate()))
  })
}
