/**
 * The value of a `traceparent` header of W3C Trace Context that names a trace, undefined for any other: of a header that is wrong, and of
 * ids of zeros, it says that nobody continues them.
 */
export function parseTraceparent(text: string): string | undefined {
  const [, version, trace, parent] = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(text) ?? []
  if (version === undefined || version === 'ff' || isZero(trace) || isZero(parent)) return undefined
  return text
}

const isZero = (id = ''): boolean => /^0*$/.test(id)
