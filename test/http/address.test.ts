import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { countedAs, createMatcher, isAddressRange, isFromHere } from '../../src/http/address.ts'

it('takes addresses and ranges, and never everybody', () => {
  for (const good of [
    '10.0.0.7',
    '10.0.0.0/8',
    '192.0.2.1/32',
    '::1',
    'fd00::/8',
    '2001:db8::7/128',
    '::ffff:10.0.0.7',
  ])
    expect(isAddressRange(good), good).toBe(true)
  for (const bad of [
    '',
    'proxy',
    '10.0.0',
    '10.0.0.0/0',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    'fe80::1/x',
    'true',
    '*',
  ])
    // oxfmt-ignore
    expect(isAddressRange(bad), bad).toBe(false)
})

it('finds addresses in ranges, IPv4 within IPv6 too', () => {
  const isProxy = createMatcher(['10.1.0.0/16', '192.0.2.7', 'fd00::/8'])
  for (const inside of ['10.1.255.1', '192.0.2.7', '::ffff:10.1.0.1', '::ffff:192.0.2.7', 'fd12::1'])
    expect(isProxy(inside), inside).toBe(true)
  for (const outside of ['10.2.0.1', '192.0.2.8', '::ffff:10.2.0.1', 'fe00::1', '127.0.0.1', '', 'x', undefined])
    expect(isProxy(outside), outside).toBe(false)
})

it('counts an address of IPv4 by itself and IPv6 by its /64', () => {
  expect(countedAs('192.0.2.7')).toBe('192.0.2.7')
  expect(countedAs('::ffff:192.0.2.7')).toBe('192.0.2.7')
  const same = [
    '2001:db8:0:7::1',
    '2001:db8:0:7:ffff:ffff:ffff:ffff',
    '2001:0db8:0000:0007:1:2:3:4',
    '2001:DB8::7:0:0:0:1',
  ]
  expect(new Set(same.map(countedAs))).toEqual(new Set(['2001:db8:0:7::/64']))
  expect(countedAs('2001:db8:0:8::1')).not.toBe(countedAs('2001:db8:0:7::1'))
  expect(countedAs('::1')).toBe('0:0:0:0::/64')
  expect(countedAs('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
  // As some proxies forward it: another port for each connection is no other caller.
  expect(['192.0.2.7:4711', '[2001:db8:0:7::1]:4711', '[2001:db8:0:7::1]'].map(countedAs)).toEqual(['192.0.2.7', '2001:db8:0:7::/64', '2001:db8:0:7::/64']) // oxfmt-ignore
  // A caller whose socket is gone before its request is looked at has none: that is no fault of the service.
  expect(countedAs(undefined)).toBe('')
})

describe('a caller on this machine', () => {
  const from = (remoteAddress: string | undefined, headers: Record<string, string> = {}, proxies: string[] = []) => {
    const request = {
      socket: { remoteAddress },
      headers: { host: 'localhost:7357', ...headers },
    } as unknown as IncomingMessage
    return isFromHere(request, createMatcher(proxies))
  }

  it('comes from a loopback address and asks for one', () => {
    for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])
      expect(from(address), address).toBe(true)
    for (const host of ['localhost', '127.0.0.1:7357', '[::1]:7357']) expect(from('::1', { host }), host).toBe(true)
  })

  it('comes from nowhere else, however it calls itself', () => {
    for (const address of ['192.0.2.7', '::ffff:192.0.2.7', 'fe80::1', '::127.0.0.1', undefined])
      expect(from(address), address).toBe(false)
  })

  it('is not whoever came through a proxy, told by its headers or by the settings', () => {
    for (const name of ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'])
      expect(from('127.0.0.1', { [name]: '127.0.0.1' }), name).toBe(false)
    expect(from('127.0.0.1', {}, ['127.0.0.1'])).toBe(false)
    expect(from('::ffff:127.0.0.1', {}, ['127.0.0.0/8'])).toBe(false)
    expect(from('127.0.0.1', {}, ['10.0.0.1'])).toBe(true)
  })

  it('is not a page of a browser here, whose own name was made to lead here', () => {
    for (const host of ['evil.example:7357', 'localhost.evil.example', '127.0.0.1.evil.example', 'x@localhost', ''])
      expect(from('127.0.0.1', { host }), host).toBe(false)
  })
})
