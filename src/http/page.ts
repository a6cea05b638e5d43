import { Problem } from '../record/problem.ts'
import { getHealth, getMetrics, getPage, getReadiness } from '../api/operations.ts'
import type { Mount } from './mount.ts'
import { printPage } from './page-html.ts'

export interface PageDeps {
  org: string
  version: string
  /** Whether the service can record and read now. Rejecting counts as no. */
  isReady: () => Promise<boolean>
  /** Prometheus text. */
  printMetrics: () => Promise<string>
}

/** For machines one word each, for Prometheus the metrics, for people one page. */
export function mountPage(mount: Mount, { org, version, isReady, printMetrics }: PageDeps): void {
  const text = 'text/plain; charset=utf-8'
  const page = printPage(org, version)

  mount(getHealth, async () => ({ type: text, body: 'ok' }))
  mount(getReadiness, async () => {
    const ready = await isReady().catch(() => false)
    return { status: ready ? 200 : 503, type: text, body: ready ? 'ready' : 'unready' }
  })
  mount(getMetrics, async ({ who }) => {
    if (who.repositories !== undefined) throw new Problem('forbidden', 'this credential is bound to repositories')
    return { type: 'text/plain; version=0.0.4; charset=utf-8', body: await printMetrics() }
  })
  mount(getPage, async () => ({
    type: 'text/html; charset=utf-8',
    headers: { 'cache-control': 'no-cache' },
    body: page,
  }))
}
