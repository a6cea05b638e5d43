import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Policy, parsePolicy, printPolicy, satisfies } from '../../src/log/policy.ts'
import { type VerifierKey, createSigningKey, printVkey } from '../../src/log/vkey.ts'

const keys: VerifierKey[] = []
let log: string
/** vkey of witness i. */
let w: string[]
beforeAll(async () => {
  for (let i = 0; i < 40; i++)
    keys.push(await createSigningKey(`witness.example/${i}`, 4, new Uint8Array(32).fill(i + 1)))
  w = keys.map(printVkey)
  log = printVkey(await createSigningKey('localhost/main/unit', 1, new Uint8Array(32).fill(99)))
})

/** The example of the specification. */
const example = (): string => `# Two organisations
log ${log} https://log.example/

witness X1 ${w[0]}
witness X2 ${w[1]} https://x2.example/a
\twitness  X3\t${w[2]}
group X-witnesses 2 X1 X2 X3

  # the other one
witness Y1 ${w[3]}
witness Y2 ${w[4]}
witness Y3 ${w[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`

describe('a policy', () => {
  it('is read with its logs, witnesses, addresses and groups', () => {
    const policy = parsePolicy(example())
    expect(policy.logs.map(({ key, url }) => [printVkey(key), url])).toEqual([[log, 'https://log.example/']])
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['X1', undefined],
      ['X2', 'https://x2.example/a'],
      ['X3', undefined],
      ['Y1', undefined],
      ['Y2', undefined],
      ['Y3', undefined],
    ])
    expect(policy.groups).toEqual([
      { name: 'X-witnesses', threshold: 2, members: ['X1', 'X2', 'X3'] },
      { name: 'Y-witnesses', threshold: 1, members: ['Y1', 'Y2', 'Y3'] },
      { name: 'X-and-Y', threshold: 2, members: ['X-witnesses', 'Y-witnesses'] },
    ])
  })

  it('is satisfied by exactly the sets of cosigners that its groups allow', () => {
    const policy = parsePolicy(example())
    for (let set = 0; set < 64; set++) {
      const cosigners = keys.slice(0, 6).filter((_, i) => (set & (1 << i)) !== 0)
      const [x, y] = [set & 7, set >> 3]
      const expected = [3, 5, 6, 7].includes(x) && y !== 0
      expect(satisfies(policy, cosigners), set.toString(2)).toBe(expected)
    }
  })

  it('counts nothing that it does not know, nor one witness twice', async () => {
    const policy = parsePolicy(`witness a ${w[0]}\nwitness b ${w[1]}\ngroup both 2 a b\nquorum both\n`)
    const [a, b] = keys
    if (a === undefined || b === undefined) throw new Error('no keys')
    expect(satisfies(policy, [a, a])).toBe(false)
    expect(satisfies(policy, [a, ...keys.slice(2)])).toBe(false)
    const renamed = await createSigningKey('another.name', 4, new Uint8Array(32).fill(2))
    expect(satisfies(policy, [a, renamed])).toBe(false)
    expect(satisfies(policy, [a, b])).toBe(true)
  })

  it('needs nobody with quorum none, and a single witness where the quorum is one', () => {
    expect(satisfies(parsePolicy('quorum none\n'), [])).toBe(true)
    const one = parsePolicy(`witness a ${w[0]}\nquorum a\n`)
    expect(satisfies(one, [])).toBe(false)
    expect(satisfies(one, keys.slice(0, 1))).toBe(true)
  })

  it('may have 32 logs, witnesses and groups, and lines behind the quorum', () => {
    const witnesses = Array.from({ length: 32 }, (_, i) => `witness w${i} ${w[i]}\n`)
    const groups = Array.from({ length: 32 }, (_, i) => `group g${i} any ${i === 0 ? 'w0' : `g${i - 1}`}\n`)
    const policy = parsePolicy(`${witnesses.join('')}${groups.join('')}quorum g31\nwitness late ${w[33]}\n`)
    expect(policy.witnesses).toHaveLength(33)
    expect(satisfies(policy, keys.slice(0, 1))).toBe(true)
    expect(satisfies(policy, keys.slice(1, 32))).toBe(false)
  })

  it('keeps names apart by their octets, UTF-8 or not', () => {
    const kelvin = parsePolicy(`witness K ${w[0]}\nwitness \u212a ${w[1]}\nquorum \u212a\n`)
    expect(satisfies(kelvin, keys.slice(0, 1))).toBe(false)
    expect(satisfies(kelvin, keys.slice(1, 2))).toBe(true)
    const latin = parsePolicy(Buffer.from(`witness \xe9 ${w[0]}\nwitness \xe8 ${w[1]}\nquorum \xe9\n`, 'latin1'))
    expect(satisfies(latin, keys.slice(0, 1))).toBe(true)
    expect(satisfies(latin, keys.slice(1, 2))).toBe(false)
  })

  it('takes no white space but space and tab for a separator', () => {
    const { witnesses } = parsePolicy(`witness a\u00a0b ${w[0]}\nquorum none\n`)
    expect(witnesses.map(({ name }) => name)).toEqual(['a\u00a0b'])
  })
})

describe('a policy is refused', () => {
  const cases: [string, () => string, RegExp][] = [
    ['without a quorum', () => `witness a ${w[0]}\n`, /no quorum/],
    ['empty', () => '', /no quorum/],
    ['with two quorums', () => 'quorum none\nquorum none\n', /line 2.*already/],
    ['with a quorum of nobody', () => 'quorum\n', /line 1.*quorum/],
    ['with a quorum of two', () => `witness a ${w[0]}\nwitness b ${w[1]}\nquorum a b\n`, /line 3/],
    ['with a quorum of an unknown name', () => 'quorum a\n', /a is not defined above/],
    ['with a quorum that is defined below', () => `quorum a\nwitness a ${w[0]}\n`, /a is not defined above/],
    ['with a name defined twice', () => `witness a ${w[0]}\nwitness a ${w[1]}\nquorum a\n`, /line 2.*a is defined twice/],
    ['with a group named as a witness', () => `witness a ${w[0]}\ngroup a any a\nquorum a\n`, /defined twice/],
    ['with one key under two names', () => `witness a ${w[0]}\nwitness b ${w[0]}\nquorum a\n`, /key of this witness/],
    ['with one log twice', () => `log ${log}\nlog ${log} https://b.example\nquorum none\n`, /key of this log/],
    ['that defines none', () => `witness none ${w[0]}\nquorum none\n`, /`none` cannot/],
    ['with none in a group', () => `witness a ${w[0]}\ngroup g any a none\nquorum g\n`, /none is not defined above/],
    ['with an unknown member', () => `witness a ${w[0]}\ngroup g any a b\nquorum g\n`, /b is not defined above/],
    ['with a group within itself', () => `witness a ${w[0]}\ngroup g any a g\nquorum g\n`, /g is not defined above/],
    ['with a member twice in a group', () => `witness a ${w[0]}\ngroup g any a a\nquorum g\n`, /a is a member already/],
    ['with a member of two groups', () => `witness a ${w[0]}\nwitness b ${w[1]}\ngroup g any a\ngroup h all a b\nquorum h\n`, /a is a member already/],
    ['with an empty group', () => 'group g any\nquorum g\n', /line 1.*a group is/],
    ['with a group of nothing', () => 'group\nquorum none\n', /line 1.*a group is/],
    ['with a threshold of 0', () => `witness a ${w[0]}\ngroup g 0 a\nquorum g\n`, /0 is no number of them/],
    ['with a threshold over the members', () => `witness a ${w[0]}\ngroup g 2 a\nquorum g\n`, /2 is no number of them/],
    ['with a threshold 01', () => `witness a ${w[0]}\ngroup g 01 a\nquorum g\n`, /01 is no number of them/],
    ['with a threshold +1', () => `witness a ${w[0]}\ngroup g +1 a\nquorum g\n`, /no number of them/],
    ['with a threshold ALL', () => `witness a ${w[0]}\ngroup g ALL a\nquorum g\n`, /no number of them/],
    ['with an unknown keyword', () => 'Quorum none\n', /Quorum is none of/],
    ['with a comment behind a line', () => `witness a ${w[0]} https://a.example # mine\nquorum a\n`, /a witness is/],
    ['with too much in a log', () => `log ${log} https://a.example b\nquorum none\n`, /a log is/],
    ['with a witness without key', () => 'witness a\nquorum none\n', /a witness is/],
    ['with a log without key', () => 'log\nquorum none\n', /a log is/],
    ['with a log key as witness', () => `witness a ${log}\nquorum a\n`, /type 4.*type 1/],
    ['with a witness key as log', () => `log ${w[0]}\nquorum none\n`, /type 1.*type 4/],
    ['with CRLF', () => 'quorum none\r\n', /octet 0x0d/],
    ['with a form feed', () => 'quorum\fnone\n', /octet 0x0c/],
    ['with DEL', () => 'quorum none # \x7f\n', /octet 0x7f/],
    ['without its last newline', () => 'quorum none', /does not end in a newline/],
    ['with a byte order mark', () => '\ufeffquorum none\n', /none of log/],
  ] // oxfmt-ignore
  it.each(cases)('%s', (_, text, why) => expect(() => parsePolicy(text())).toThrow(why))

  it('with a key that is not what it says', () => {
    const vkey = w[0] ?? ''
    expect(() => parsePolicy(`witness a ${vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')}\nquorum a\n`)).toThrow(
      'its id',
    )
    expect(() => parsePolicy(`witness a ${vkey}=\nquorum a\n`)).toThrow('a key is')
  })
})

describe('what is printed', () => {
  it('is read as the same policy', () => {
    const policy = parsePolicy(example())
    expect(parsePolicy(printPolicy(policy))).toEqual(policy)
  })

  it('never says something else: a name or address with white space is refused', () => {
    const policy = parsePolicy(example())
    const [first, ...others] = policy.witnesses
    if (first === undefined) throw new Error('no witness')
    const named = (name: string, url?: string): Policy => ({
      ...policy,
      witnesses: [{ ...first, name, url }, ...others],
    })
    for (const wrong of [named('X 1'), named('X1', 'https://a b'), named('X1', 'a\nquorum none'), named('')])
      expect(() => printPolicy(wrong)).toThrow()
  })

  it('survives any line put into it: it is refused, or read as what was printed (fuzz)', () => {
    const lines = example().split('\n')
    fc.assert(
      fc.property(fc.nat(lines.length), fc.string({ maxLength: 40, unit: 'binary' }), (at, line) => {
        let policy: Policy
        try {
          policy = parsePolicy([...lines.slice(0, at), line, ...lines.slice(at)].join('\n'))
        } catch (error) {
          expect((error as Error).name).toBe('LogError')
          return
        }
        expect(parsePolicy(printPolicy(policy))).toEqual(policy)
      }),
    )
  })
})
