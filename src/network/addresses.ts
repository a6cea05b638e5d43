import { BlockList, isIP } from 'node:net'

/**
 * Addresses that no service of ours has and that answer to whoever asks with credentials of the machine: link-local, and the metadata
 * services of the large clouds. They are refused at every connection, unless the operator allows them.
 */
const metadata = new BlockList()
metadata.addSubnet('169.254.0.0', 16, 'ipv4') // AWS, Azure, Google, OpenStack, ECS task credentials
metadata.addAddress('100.100.100.200', 'ipv4') // Alibaba
metadata.addAddress('192.0.0.192', 'ipv4') // Oracle
metadata.addAddress('168.63.129.16', 'ipv4') // Azure wire server
metadata.addSubnet('fe80::', 10, 'ipv6')
metadata.addSubnet('fd00:ec2::', 32, 'ipv6') // AWS over IPv6
metadata.addAddress('fd20:ce::254', 'ipv6') // Google over IPv6
metadata.addAddress('fd00:c1::a9fe:a9fe', 'ipv6') // Oracle over IPv6
metadata.addAddress('fd00:42::42', 'ipv6') // Scaleway over IPv6
// Forms of IPv6 that a network takes for 169.254.0.0/16 again; the mapped one, ::ffff:0:0/96, the list knows by itself.
metadata.addSubnet('::a9fe:0', 112, 'ipv6') // IPv4-compatible
metadata.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6') // NAT64, RFC 6052
metadata.addSubnet('2002:a9fe::', 32, 'ipv6') // 6to4, RFC 3056

/** Of an address as `isIP` knows it, also with a zone (`fe80::1%eth0`). */
export function isMetadataAddress(address: string): boolean {
  return metadata.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
