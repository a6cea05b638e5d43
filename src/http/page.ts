import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../record/problem.ts'
import { getHealth, getMetrics, getPage, getReadiness } from '../api/operations.ts'
import type { SessionDoor } from './credential.ts'
import type { Mount } from './mount.ts'
import { type Visitor, printGoOn, printPage } from './page-html.ts'
import { isLinkFromElsewhere } from './session-cookie.ts'

export interface PageDeps {
  sessions?: SessionDoor | undefined
  org: string
  version: string
  /** Whether the service can record and read now. Rejecting counts as no. */
  isReady: () => Promise<boolean>
  /** Prometheus text. */
  printMetrics: () => Promise<string>
}

/** For machines one word each, for Prometheus the metrics, for people one page. */
export function mountPage(mount: Mount, { org, version, isReady, printMetrics, sessions }: PageDeps): void {
  const text = 'text/plain; charset=utf-8'
  const printFor = async (headers: IncomingHttpHeaders): Promise<string> => {
    if (sessions === undefined) return printPage(org, version, undefined)
    const visitor = await visitorOf(sessions, headers)
    // Asked once more as a page of ours, with the session. Only this page, which shows nothing: what is read is on record for whoever read it.
    if (visitor === 'nobody' && isLinkFromElsewhere(headers)) return printGoOn('/', 'To the page of this service.')
    return printPage(org, version, visitor)
  }

  mount(getHealth, async () => ({ type: text, body: 'ok' }))
  mount(getReadiness, async () => {
    const ready = await isReady().catch(() => false)
    return { status: ready ? 200 : 503, type: text, body: ready ? 'ready' : 'unready' }
  })
  mount(getMetrics, async ({ who }) => {
    if (who.repositories !== undefined) throw new Problem('forbidden', 'this credential is bound to repositories')
    return { type: 'text/plain; version=0.0.4; charset=utf-8', body: await printMetrics() }
  })
  mount(getPage, async ({ headers }) => ({
    type: 'text/html; charset=utf-8',
    headers: { 'cache-control': sessions === undefined ? 'no-cache' : 'no-store' },
    body: await printFor(headers),
  }))
}

async function visitorOf(sessions: SessionDoor, headers: IncomingHttpHeaders): Promise<Visitor> {
  const cookie = sessions.cookies.read(headers, 'proofline')
  const who = cookie === undefined ? undefined : await sessions.find(cookie)
  return who === undefined ? 'nobody' : { id: who.id, scopes: [...who.scopes] }
}
