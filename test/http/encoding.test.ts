import { describe, expect, it } from 'vitest'
import { chooseEncoding } from '../../src/http/encoding.ts'

describe('Accept-Encoding', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['GZIP;Q=0.5', 'gzip'],
    ['zstd;q=0.5, gzip;q=0.8', 'gzip'],
    ['zstd;q=0.8, gzip;q=0.5', 'zstd'],
    ['gzip;q=0', 'identity'],
    ['gzip;q=0, zstd;q=0, *;q=1', 'identity'],
    ['*', 'gzip'],
    ['*;q=0', 'identity'],
    ['identity', 'identity'],
    ['br, deflate', 'identity'],
    ['gzip;q=abc', 'identity'],
  ])('%s is answered with %s', (header, encoding) => {
    expect(chooseEncoding(header)).toBe(encoding)
  })
})
