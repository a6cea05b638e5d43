/**
 * The last fence before what is printed: log lines and crash output. Whatever a message was made of, what has the form of a credential is not
 * in it: our own tokens and private keys, passwords in addresses, Authorization headers, what a redirect or a signed address carries. Secrets
 * without a form of their own never get so far (delivery/secret.ts, delivery/redact.ts). Pure.
 */
export function hideCredentials(text: string): string {
  return forms.reduce((hidden, [form, replacement]) => hidden.replace(form, replacement), text)
}

const forms: readonly (readonly [RegExp, string])[] = [
  [/\bpl_[0-9a-f]{16}_[A-Za-z0-9_-]{20,}/g, 'pl_[secret]'],
  // Of a session: its cookie.
  [/\b[0-9a-f]{16}_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g, '[secret]'],
  [/PRIVATE\+KEY\+[^\s"']+/g, 'PRIVATE+KEY+[secret]'],
  [/-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g, '[secret]'],
  // A JWS: head, claims, signature.
  [/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g, '[secret]'],
  // Up to the last @: a password may hold one.
  [/([a-z][a-z0-9+.-]{0,40}:\/\/[^\s:/@?#"']{0,256}:)[^\s/?#"']{1,512}@/gi, '$1[secret]@'],
  [/\b(bearer|basic|splunk|apikey|statement) +[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  [/([?&](?:code|state|token|access_token|id_token|password|sslpassword|x-amz-signature|x-amz-credential|x-amz-security-token)=)[^&\s"']+/gi, '$1[secret]'],
  [/((?:set-)?cookie["']?: ?["']?)[^\r\n"']+/gi, '$1[secret]'],
] // oxfmt-ignore
