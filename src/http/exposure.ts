import { isLoopback } from './address.ts'
import type { HttpSettings } from './settings.ts'

/** What is dangerous about how the service is reached, one sentence each, for whoever starts it. */
export function exposures({ host, tls, trusted_proxies: proxies, public_url: url }: HttpSettings): string[] {
  if (tls !== undefined || isLoopback(host)) return []
  const open = `http.host ${host} is open to the network without TLS`
  if (proxies.length === 0)
    return [
      `${open}: tokens can be read on their way. Set http.tls, or name the proxy with TLS in front in http.trusted_proxies`,
    ]
  return url?.startsWith('https:') === true
    ? []
    : [`${open}, and http.public_url is no https address: links lead around the proxy`]
}
