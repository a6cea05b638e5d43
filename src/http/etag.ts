/** Whether If-None-Match names this strong tag. Weak comparison, as RFC 9110 demands of it; `*` would need to know that there is an answer. */
export function holdsTag(ifNoneMatch: string | undefined, tag: string): boolean {
  return ifNoneMatch?.split(',').some((item) => item.trim().replace(/^W\//, '') === tag) ?? false
}
