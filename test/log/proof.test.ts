import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { hashLeaf } from '../../src/log/merkle.ts'
import { verifyInclusion } from '../../src/log/merkle-proof.ts'
import { parseProof, printProof } from '../../src/log/proof.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { sha256Hex } from '../../src/record/sha256.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const published = `c2sp.org/tlog-proof@v1
index 7
2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=
ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=
zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=
91HQqaPzWlbBsUDk3JvSpOTK7Bc4ifZGxXZzfABOmuU=

example.com/log/testdata
9
CvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=

— example.com/log/testdata M9e0ls3mdnWX0qk4P3uGG0eYiFRWSwPR+RdeD1ARmrHPHjXP0x9UJWASPFTOTqJo0mp7Epck2O9RFB0J9IjDdAewagw=
— Wit1 mz+y1QAAAABkGFDLZeDnuwIel53zpQLIv7/FYD+uJT0W/dA41mcFyLWL7+wCJ2qKkJDOkMY6FF9R7JjAjwzC6FOkmQF90ZHAIGwTBw==
`
const vkeys = [
  'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx',
  'Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk',
].map(parseVkey)
const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as {
  tlogProof: string
  origin: string
  keys: { vkey: string }[]
}

describe('proofs as text', () => {
  it('are read as published: checkpoint, witness and inclusion verify', async () => {
    expect(sha256Hex(utf8(published))).toBe('29a113e68b2a06c89e2e892f20fee219dd0b8e0cb1a5d5174f3f3eb55b92a4ef')
    const { index, hashes, checkpoint, ...rest } = parseProof(published)
    const { size, root, cosignatures } = await openCheckpoint(checkpoint, 'example.com/log/testdata', vkeys)
    expect(rest).toEqual({})
    expect(cosignatures).toHaveLength(1)
    expect(verifyInclusion({ index, size, leafHash: hashLeaf(utf8('eit')), proof: hashes, root })).toBe(true)
    expect(verifyInclusion({ index, size, leafHash: hashLeaf(utf8('eight')), proof: hashes, root })).toBe(false)
  })

  it('are those of the golden vectors', async () => {
    const proof = parseProof(vectors.tlogProof)
    const keys = vectors.keys.map(({ vkey }) => parseVkey(vkey))
    const { size, root } = await openCheckpoint(proof.checkpoint, vectors.origin, keys)
    expect(
      verifyInclusion({ index: proof.index, size, leafHash: hashLeaf(utf8('leaf-255')), proof: proof.hashes, root }),
    ).toBe(true)
    expect(printProof(proof)).toBe(vectors.tlogProof)
  })

  it('are printed as they were read, with and without extra data', () => {
    expect(printProof(parseProof(published))).toBe(published)
    const extra = Uint8Array.of(1, 2, 3)
    const text = printProof({ ...parseProof(published), extra })
    expect(text).toContain('@v1\nextra AQID\nindex 7\n')
    expect(parseProof(text).extra).toEqual(extra)
    expect(parseProof(printProof({ ...parseProof(published), index: 0, hashes: [] })).hashes).toEqual([])
  })

  it.each([
    ['another version', published.replace('@v1', '@v2')],
    ['carriage returns', published.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${published}`],
    ['no index', published.replace('index 7\n', '')],
    ['an index with zeroes', published.replace('index 7', 'index 07')],
    ['an index of 2^64-1', published.replace('index 7', 'index 18446744073709551615')],
    ['extra data that is not base64', published.replace('index', 'extra A\nindex')],
    ['extra data twice', published.replace('index', 'extra QQ==\nextra QQ==\nindex')],
    ['extra data behind the index', published.replace('index 7\n', 'index 7\nextra QQ==\n')],
    ['a hash without padding', published.replace('zsw=', 'zsw')],
    ['a short hash', published.replace('2Q0P5jSR', '2Q0P')],
    ['no empty line', published.replace('\n\n', '\n')],
    ['nothing behind the empty line', published.slice(0, published.indexOf('\n\n') + 2)],
    [
      '64 hashes',
      printProof({ ...parseProof(published), hashes: [] }).replace(
        '7\n',
        `7\n${'2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=\n'.repeat(64)}`,
      ),
    ],
    ['a checkpoint without signature', published.slice(0, published.indexOf('—'))],
  ])('case 14: with %s are malformed', (_what, wrong) => {
    expect(() => parseProof(wrong)).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})
