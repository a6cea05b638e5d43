import type { IncomingHttpHeaders } from 'node:http'

/**
 * Cookies of this service. Behind https their names begin with `__Host-`: a browser takes such a one only from this very host over TLS, so no
 * neighbour below the same domain can set it. The session's own is never sent with a request that another site began; what belongs to a
 * sign-in under way has to be, for the issuer is another site.
 */
export interface Cookies {
  read(headers: IncomingHttpHeaders, name: CookieName): string | undefined
  /** A `Set-Cookie`. Without a value it takes the cookie away. */
  print(name: CookieName, value: string | undefined, maxAgeS: number): string
}

export type CookieName = 'proofline' | 'proofline-login'

export function createCookies(isSecure: boolean): Cookies {
  const fullName = (name: CookieName): string => (isSecure ? `__Host-${name}` : name)
  return {
    read(headers, name) {
      const prefix = `${fullName(name)}=`
      const found = (headers.cookie ?? '').split(';').map((pair) => pair.trim()).filter((pair) => pair.startsWith(prefix)) // oxfmt-ignore
      // Two of one name: one of them was put there by somebody else.
      const [only] = found
      return found.length === 1 && only !== undefined ? only.slice(prefix.length) : undefined
    },
    print(name, value, maxAgeS) {
      const sameSite = name === 'proofline' ? 'Strict' : 'Lax'
      const rest = `Path=/; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}`
      return `${fullName(name)}=${value ?? ''}; Max-Age=${value === undefined ? 0 : maxAgeS}; ${rest}`
    },
  }
}

/** Whether somebody followed a link on another site: then the browser does not say whose session this is, if there is one. */
export const isLinkFromElsewhere = (headers: IncomingHttpHeaders): boolean =>
  headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-dest'] === 'document'

/**
 * Whether a request that came with a cookie was begun by a page of this service, where it may change something. Browsers say so in
 * `Sec-Fetch-Site`, older ones in `Origin`; a request with neither is no browser's, or hides where it is from.
 */
export function isOwnRequest(method: string, headers: IncomingHttpHeaders, ownOrigin: string): boolean {
  const isReading = method === 'GET' || method === 'HEAD'
  const site = headers['sec-fetch-site']
  if (isReading) return site === undefined || site === 'same-origin' || site === 'none'
  return site === undefined ? headers.origin === ownOrigin : site === 'same-origin'
}
