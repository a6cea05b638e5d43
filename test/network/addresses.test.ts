import { describe, expect, it } from 'vitest'
import { isMetadataAddress } from '../../src/network/addresses.ts'

describe('isMetadataAddress', () => {
  it.each([
    '169.254.169.254',
    '169.254.170.2',
    '169.254.0.1',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    'fe80::1',
    'fe80::1%eth0',
    'febf::a9fe:a9fe',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:c1::a9fe:a9fe',
    'fd00:42::42',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
  ])('knows %s', (address) => {
    expect(isMetadataAddress(address)).toBe(true)
  })

  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '169.253.255.255',
    '169.255.0.0',
    '8.8.8.8',
    '::1',
    '::ffff:127.0.0.1',
    'fd00::1',
    'fec0::1',
    '64:ff9b::808:808',
    '2002:808:808::1',
  ])('takes %s for a destination', (address) => {
    expect(isMetadataAddress(address)).toBe(false)
  })
})
