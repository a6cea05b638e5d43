const maxBytes = 4_096

/**
 * What a load balancer set, as it wants it back: name and value only. Other attributes do not matter: it goes to the same host, for the
 * few minutes until the acknowledgement. Undefined without any; one that would make a header of more than 4 KiB is left out.
 */
export function cookieOf(header: string | readonly string[] | undefined): string | undefined {
  const cookies = new Map<string, string>()
  for (const one of [header ?? []].flat()) {
    const pair = one.split(';', 1)[0]?.trim() ?? ''
    const name = pair.slice(0, Math.max(0, pair.indexOf('=')))
    if (/^[!-<>-~]+=[ -~]*$/.test(pair) && name !== '') cookies.set(name, pair)
  }
  let text = ''
  for (const pair of cookies.values()) {
    const longer = text === '' ? pair : `${text}; ${pair}`
    if (longer.length <= maxBytes) text = longer
  }
  return text === '' ? undefined : text
}
