import { LogError } from './log-error.ts'
import { type VerifierKey, parseVkey, printVkey } from './vkey.ts'

/**
 * C2SP tlog-policy: which logs are believed, which witnesses are known, and whose cosignatures together are enough. One text file, read by
 * the service that asks the witnesses and by whoever verifies offline. Strict: what the specification does not allow is refused by line.
 */

export interface PolicyLog {
  /** Named as the origin of the log. Two lines of one name are a log whose key was rotated. */
  key: VerifierKey
  url: string | undefined
}

export interface PolicyWitness {
  /** Means something within the policy only; the witness itself is its key. */
  name: string
  key: VerifierKey
  /** Its submission prefix: where to ask it. */
  url: string | undefined
}

export interface PolicyGroup {
  name: string
  /** So many of the members have to witness. */
  threshold: number
  /** Witnesses and groups of earlier lines. */
  members: readonly string[]
}

export interface Policy {
  logs: readonly PolicyLog[]
  witnesses: readonly PolicyWitness[]
  groups: readonly PolicyGroup[]
  /** Name of a witness or group; `none`: no cosignature is needed. */
  quorum: string
}

const none = 'none'
/** The specification asks for 32 of each at least. */
const maxBytes = 1_000_000
const encoder = new TextEncoder()

/**
 * Reads a policy file. Names are octets to the specification, so two of them are one only when all their octets are. Throws LogError
 * `malformed` with the line, `key_invalid` for a key that must not be used.
 */
export function parsePolicy(file: string | Uint8Array): Policy {
  const logs: PolicyLog[] = []
  const witnesses: PolicyWitness[] = []
  const groups: PolicyGroup[] = []
  let quorum: string | undefined
  /** By name, whether it is a member of a group already: each can count in one way only. */
  const names = new Map<string, boolean>()

  for (const [i, line] of linesOf(file).entries()) {
    const refuse = (why: string): never => {
      throw new LogError('malformed', `line ${i + 1} of the policy: ${why}`)
    }
    const define = (name: string): string => {
      if (name === none) refuse('`none` cannot be defined')
      if (names.has(name)) refuse(`${name} is defined twice`)
      names.set(name, false)
      return name
    }
    const [keyword, ...items] = line.split(/[ \t]+/).filter((item) => item !== '')
    if (keyword === undefined || keyword.startsWith('#')) continue
    const [first = '', second = '', third] = items
    switch (keyword) {
      case 'log': {
        if (items.length < 1 || items.length > 2) refuse('a log is `log <vkey> [<url>]`')
        const key = parseKey(first, 1, i)
        if (logs.some((one) => isSame(one.key, key))) refuse('the key of this log is there already')
        logs.push({ key, url: items[1] })
        break
      }
      case 'witness': {
        if (items.length < 2 || items.length > 3) refuse('a witness is `witness <name> <vkey> [<url>]`')
        const key = parseKey(second, 4, i)
        if (witnesses.some((one) => isSame(one.key, key))) refuse('the key of this witness is there already')
        witnesses.push({ name: define(first), key, url: third })
        break
      }
      case 'group': {
        const members = items.slice(2)
        if (members.length === 0) refuse('a group is `group <name> all|any|<k> <name>...`')
        for (const member of members) {
          const isMember = names.get(member)
          if (isMember === undefined) refuse(`${member} is not defined above`)
          if (isMember === true) refuse(`${member} is a member already`)
          names.set(member, true)
        }
        const threshold = thresholdOf(second, members.length)
        if (threshold === undefined) refuse(`of ${members.length} members ${second} is no number of them`)
        groups.push({ name: define(first), threshold: threshold ?? 0, members })
        break
      }
      case 'quorum':
        if (items.length !== 1) refuse('the quorum is `quorum <name>` or `quorum none`')
        if (quorum !== undefined) refuse('there is a quorum already')
        if (first !== none && !names.has(first)) refuse(`${first} is not defined above`)
        quorum = first
        break
      default:
        refuse(`${keyword} is none of log, witness, group, quorum`)
    }
  }
  if (quorum === undefined)
    throw new LogError(
      'malformed',
      'the policy has no quorum: its last line is `quorum none` where there are no witnesses',
    )
  return { logs, witnesses, groups, quorum }
}

/** The file, in the order of definition. What is printed is read again as it is, or this throws. */
export function printPolicy({ logs, witnesses, groups, quorum }: Policy): string {
  const line = (...items: (string | undefined)[]): string => items.filter((item) => item !== undefined).join(' ')
  const lines = [
    ...logs.map(({ key, url }) => line('log', printVkey(key), url)),
    ...witnesses.map(({ name, key, url }) => line('witness', name, printVkey(key), url)),
    ...groups.map(({ name, threshold, members }) => line('group', name, String(threshold), ...members)),
    line('quorum', quorum),
  ]
  const text = `${lines.join('\n')}\n`
  const read = parsePolicy(text)
  if (JSON.stringify(read) !== JSON.stringify({ logs, witnesses, groups, quorum }))
    throw new LogError('malformed', 'a name or address of the policy cannot be written')
  return text
}

/** Whether cosignatures by these keys, which somebody verified, are enough. Keys that the policy does not know count nothing. */
export function satisfies({ witnesses, groups, quorum }: Policy, cosigners: readonly VerifierKey[]): boolean {
  if (quorum === none) return true
  const witnessed = new Set<string>()
  for (const { name, key } of witnesses)
    if (cosigners.some((cosigner) => printVkey(cosigner) === printVkey(key))) witnessed.add(name)
  // In order of definition, so members are decided before their group.
  for (const { name, threshold, members } of groups)
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name)
  return witnessed.has(quorum)
}

/** Whether anybody has to cosign. */
export const needsQuorum = ({ quorum }: Policy): boolean => quorum !== none

const isSame = (a: VerifierKey, b: VerifierKey): boolean => String(a.publicKey) === String(b.publicKey)

function parseKey(text: string, type: 1 | 4, i: number): VerifierKey {
  const key = parseVkey(text)
  if (key.type === type) return key
  const wanted = type === 1 ? 'a log signs with type 1' : 'a witness cosigns with type 4'
  throw new LogError('key_invalid', `line ${i + 1} of the policy: ${wanted}, this key has type ${key.type}`)
}

function thresholdOf(text: string, members: number): number | undefined {
  if (text === 'all') return members
  if (text === 'any') return 1
  const number = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : 0
  return number >= 1 && number <= members ? number : undefined
}

/** Without their newlines. Octets that are not UTF-8 stay apart from each other too: then each octet is one character. */
function linesOf(file: string | Uint8Array): string[] {
  if (typeof file === 'string' && !file.isWellFormed()) throw new LogError('malformed', 'the policy is not UTF-8')
  const bytes = typeof file === 'string' ? encoder.encode(file) : file
  if (bytes.length > maxBytes) throw new LogError('malformed', 'the policy is too long')
  const wrong = bytes.find((byte) => (byte < 0x20 && byte !== 0x09 && byte !== 0x0a) || byte === 0x7f)
  if (wrong !== undefined)
    throw new LogError('malformed', `the policy holds the octet 0x${wrong.toString(16).padStart(2, '0')}`)
  const lines = decode(bytes).split('\n')
  if (lines.pop() !== '') throw new LogError('malformed', 'the last line of the policy does not end in a newline')
  return lines
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  }
}
