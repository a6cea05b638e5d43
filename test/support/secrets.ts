import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Secrets that are planted, and the search for them in whatever the product said: output of its processes, answers, rows, files. A planted one
 * is known by its end, our own tokens and keys by their form. What was found stands until the end of the file of tests, which it fails
 * (no-secrets.ts).
 */

const mark = '5ec7e7ed'
export const planted = (name: string): string => `planted-${name}-${mark}`

/** Secrets that are made by chance: the password of a database, a token. Short ones would be found anywhere. */
const known = new Set<string>()
export function alsoSecret(value: string): void {
  if (value.length >= 12) known.add(value)
}

/** The same bytes in base64 whatever stands before them: three ways to cut, without the letters that neighbours change. */
const encoded = [0, 1, 2].map((before) => {
  const text = Buffer.from(`${'\0'.repeat(before)}planted-`).toString('base64url')
  return text.slice(Math.ceil((before * 4) / 3), before === 0 ? 10 : before === 1 ? 12 : 13)
})

const forms: readonly (readonly [string, RegExp])[] = [
  ['a planted secret', new RegExp(`planted-[a-z0-9-]+-${mark}`, 'i')],
  ['a planted secret in base64', new RegExp(encoded.join('|'))],
  ['a planted secret in hex', new RegExp(Buffer.from(mark).toString('hex'), 'i')],
  ['a token', /\bpl_[0-9a-f]{16}_[A-Za-z0-9_-]{43}/],
  ['a session', /\b[0-9a-f]{16}_[A-Za-z0-9_-]{43}/],
  ['a token of an issuer', /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,}/],
  ['a private key', /PRIVATE\+KEY\+|-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a password in an address', /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*:(?!\[secret\])[^\s/@"']+@/],
  ['an Authorization header', /\bauthorization["'\\]*\s*[:=]\s*["'\\]*(?:bearer|basic|splunk|apikey|statement) +[A-Za-z0-9._~+/=-]{8,}/i],
  ['a signed address', /x-amz-signature=[0-9a-f]{8}/i],
] // oxfmt-ignore

export type Form = 'a token' | 'a private key'

/** One expression as PostgreSQL reads it, for whatever may be one. */
export const anySecret = (): string =>
  [...forms.map(([, { source }]) => source.replaceAll('\\b', '\\m')), ...[...known].map((one) => one.replaceAll(/\W/g, '\\$&'))].join('|') // oxfmt-ignore

/** What of it is a secret, each with what is around it, masked: a search must not tell either. */
export function findSecrets(text: string, allowed: readonly Form[] = []): string[] {
  const listed = [...known].filter((one) => text.includes(one)).map(() => 'a secret that was made by chance')
  const byForm = forms.flatMap(([what, form]) => {
    if (allowed.some((one) => one === what)) return []
    const found = form.exec(text)
    if (found === null) return []
    const before = text.slice(Math.max(0, found.index - 160), found.index)
    return [`${what} behind ...${before}${found[0].slice(0, 12)}***`]
  })
  return [...listed, ...byForm]
}

const leaks: string[] = []

/** Notes what is in `text` that should not be; `where` is told. */
export function searchSecrets(where: string, text: string, allowed: readonly Form[] = []): void {
  for (const found of findSecrets(text, allowed)) leaks.push(`${where}: ${found}`)
}

/** What was found since it was asked last. */
export const takeLeaks = (): string[] => leaks.splice(0)

/**
 * The one place for each secret that a service keeps; artifacts, which are what somebody sent, compressed; and what tests lay there
 * themselves, as a user would: a configuration, programs of CI agents.
 */
const keepsSecrets =
  /^(?:operator-token|proofline\.(?:yaml|pem)$|bin\/|keys\/|guard\/|artifacts\/|open-parts\/|postgres\/(?!.*\.log$)|[^/]*\.key$|state\/)/

/** The files of a data folder, but for those that are made to hold secrets. For the end of a service: files may go meanwhile. */
export function searchFolder(folder: string): void {
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return
  }
  for (const name of names.filter((one) => !keepsSecrets.test(one))) {
    try {
      const { size } = statSync(join(folder, name))
      if (size < 4 * 1_048_576) searchSecrets(`the file ${name}`, readFileSync(join(folder, name), 'latin1'))
    } catch {
      // a folder, or gone
    }
  }
}
