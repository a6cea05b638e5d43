import { describe, expect, it } from 'vitest'
import { toDigests, toEncoding } from '../../src/admission/body-headers.ts'

describe('toEncoding', () => {
  it('takes identity, gzip and zstd, in any case', () => {
    expect([undefined, '', 'identity', ' GZip ', 'x-gzip', 'zstd'].map(toEncoding)).toEqual([
      'identity',
      'identity',
      'identity',
      'gzip',
      'gzip',
      'zstd',
    ])
    for (const other of ['br', 'gzip, gzip', 'deflate']) expect(() => toEncoding(other)).toThrow(/is not taken/)
  })
})

describe('toDigests', () => {
  it('reads the dictionary of RFC 9530 and passes over algorithms it does not know', () => {
    expect(toDigests(undefined)).toEqual([])
    expect(toDigests('sha-256=:AA==:, md5=:BB==: ,sha-512=:CC==:')).toEqual([
      { algorithm: 'sha256', base64: 'AA==' },
      { algorithm: 'sha512', base64: 'CC==' },
    ])
  })

  it('refuses what is no dictionary of digests', () => {
    for (const header of ['abc', 'sha-256=AA==', 'SHA-256=:AA==:', 'sha-256=:A-_:', 'sha-256=:AA==:,'])
      expect(() => toDigests(header), header).toThrow(/RFC 9530/)
  })
})
