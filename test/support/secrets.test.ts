import { describe, expect, it } from 'vitest'
import { findSecrets, planted, searchSecrets, takeLeaks } from './secrets.ts'

/** That the search finds what is planted: else nothing is shown by finding nothing. */
describe('the search for secrets', () => {
  const secret = planted('hec-token')
  const basic = (user: string): string => Buffer.from(`${user}:${secret}`).toString('base64')
  const token = `pl_0123456789abcdef_${'a'.repeat(43)}`

  it.each([
    ['as it is', `x ${secret} y`],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ secret }))],
    ['in an address', `http://h/?q=${encodeURIComponent(secret)}`],
    ['in upper case', secret.toUpperCase()],
    ['in base64', basic('')],
    ['in base64 behind one letter', basic('a')],
    ['in base64 behind two letters', basic('ab')],
    ['in hex', Buffer.from(secret).toString('hex')],
    ['as a token', `the token ${token}.`],
    ['as a session', `0123456789abcdef_${'-'.repeat(43)}`],
    ['as a token of an issuer', `x eyJhbGciOiJS.eyJzdWIiOiIx.${'s'.repeat(40)}`],
    ['as a key', 'PRIVATE+KEY+x+1+AQID'],
    ['as a password in an address', 'postgres://u:x@db/y'],
    ['as a header', '{"authorization":"Splunk 11112222"}'],
    ['as a signed address', 'https://s3/x?X-Amz-Signature=0011223344'],
  ])('finds one %s', (_how, text) => {
    const found = findSecrets(`${'.'.repeat(5_000)}${text}`)
    expect(found.length).toBeGreaterThan(0)
    expect(found.join('')).not.toContain(secret) // what it says of it is no leak of its own
  })

  it.each(['planted-trees are green', 'postgres://u:[secret]@db/y', 'pl_0123456789abcdef', 'https://github.com/a/b@v1', 'basic rules'])('takes %s for none', (text) =>
    expect(findSecrets(text)).toEqual([]))

  it('keeps what it found, with its place, until it is asked', () => {
    searchSecrets('a log', `x ${token}`, ['a token'])
    searchSecrets('a log', `x ${token}`)
    expect(takeLeaks()).toEqual([expect.stringMatching(/^a log: a token behind \.\.\.x pl_012345678\*\*\*$/)])
    expect(takeLeaks()).toEqual([])
  })
}) // oxfmt-ignore
