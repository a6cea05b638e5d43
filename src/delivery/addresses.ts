import { BlockList, isIPv6 } from 'node:net'

/**
 * Addresses that no SIEM has and that answer to whoever asks with credentials of the machine: link-local, and the metadata services of
 * the large clouds. A name that resolves there is refused before a connection is made.
 */
const metadata = new BlockList()
metadata.addSubnet('169.254.0.0', 16, 'ipv4') // AWS, Azure, Google, OpenStack, ECS task credentials
metadata.addAddress('100.100.100.200', 'ipv4') // Alibaba
metadata.addAddress('192.0.0.192', 'ipv4') // Oracle
metadata.addAddress('168.63.129.16', 'ipv4') // Azure wire server
metadata.addSubnet('fe80::', 10, 'ipv6')
metadata.addSubnet('fd00:ec2::', 32, 'ipv6') // AWS over IPv6

export function isMetadataAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return metadata.check(mapped, 'ipv4')
  return metadata.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
