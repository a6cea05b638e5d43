import type { IdentitySettings } from '../access/identity-settings.ts'
import type { AskToken } from '../access/sign-in.ts'
import type { GetJson } from '../access/fetch-keys.ts'
import { type Asker, type AskRequest, openAsker } from '../vouching/ask.ts'

export interface IssuerDoor {
  get: GetJson
  post: AskToken
  close(): Promise<void>
}

/** To an issuer by the door that deliveries leave by: no redirect, no metadata address, bounded in time and size. */
export async function openIssuerDoor(
  first: string,
  ca_file: string | undefined,
  { timeout_ms, allow_metadata_addresses }: Pick<IdentitySettings, 'timeout_ms' | 'allow_metadata_addresses'>,
): Promise<IssuerDoor> {
  const byOrigin = new Map<string, Promise<Asker>>()
  const askerOf = (origin: string): Promise<Asker> => {
    const asker = byOrigin.get(origin) ?? openAsker(origin, { timeout_ms, allow_metadata_addresses, ca_file })
    byOrigin.set(origin, asker)
    asker.catch(() => byOrigin.delete(origin)) // a file that could not be read just now is tried again
    return asker
  }
  const ask = async (url: string, request: Omit<AskRequest, 'path'>): Promise<{ status: number; text: string }> => {
    const { origin, pathname, search } = new URL(url)
    const asker = await askerOf(origin)
    const path = `${pathname}${search}`
    const seen = await asker.ask({ ...request, path }, AbortSignal.timeout(timeout_ms * 2)) // it keeps the time itself
    if (seen.kind === 'failure') throw new Error(`${url}: ${seen.detail}`)
    return { status: seen.status, text: seen.body.toString('utf8') }
  }
  await askerOf(new URL(first).origin) // a file that cannot be read stops the start
  return {
    async get(url) {
      const { status, text } = await ask(url, { method: 'GET', headers: { accept: 'application/json' } })
      if (status !== 200) throw new Error(`${url} answers with status ${status}`)
      return parseJson(text, url)
    },
    async post(url, headers, form) {
      const sent = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded', ...headers }
      const { status, text } = await ask(url, { method: 'POST', headers: sent, body: Buffer.from(form.toString()) })
      if (status >= 500 || (status >= 300 && status < 400)) throw new Error(`${url} answers with status ${status}`)
      return { status, answer: parseJson(text, url) }
    },
    async close() {
      for (const asker of byOrigin.values()) await (await asker).close()
    },
  }
}

export function parseJson(text: string, from: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`${from} does not hold JSON`)
  }
}
