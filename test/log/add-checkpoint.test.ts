import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseAddCheckpoint, printAddCheckpoint, readCosignatures } from '../../src/log/add-checkpoint.ts'
import { parseCheckpoint } from '../../src/log/checkpoint.ts'
import { verifyConsistency } from '../../src/log/merkle-proof.ts'
import { cosign, parseNote } from '../../src/log/note.ts'
import { createSigningKey } from '../../src/log/vkey.ts'

const vectors = JSON.parse(readFileSync(new URL('tlog-vectors.json', import.meta.url), 'utf8')) as {
  addCheckpointRequest: string
  addCheckpointFirst: string
  roots: { size: number; root: string }[]
}
const bodies = [vectors.addCheckpointFirst, vectors.addCheckpointRequest]

describe('the body of add-checkpoint', () => {
  it('of the golden vectors is read, verifies and is printed the same', () => {
    for (const body of bodies) {
      const { oldSize, hashes, checkpoint } = parseAddCheckpoint(body)
      expect(printAddCheckpoint({ oldSize, hashes, checkpoint })).toBe(body)
      const { size, root } = parseCheckpoint(parseNote(checkpoint).text)
      const old = vectors.roots.find((one) => one.size === oldSize)
      if (old === undefined) expect.fail(`no root of ${oldSize} among the vectors`)
      const fromRoot = Uint8Array.from(Buffer.from(old.root, 'hex'))
      if (oldSize === 0) expect(hashes).toEqual([])
      else expect(verifyConsistency({ from: oldSize, to: size, fromRoot, toRoot: root, proof: hashes })).toBe(true)
    }
  })

  const body = vectors.addCheckpointRequest
  const hash = 'A'.repeat(43) + '='
  it.each<[string, string]>([
    ['an old size with a leading zero', body.replace('old ', 'old 0')],
    ['an old size with a sign', body.replace('old ', 'old +')],
    ['two spaces', body.replace('old ', 'old  ')],
    ['another word', body.replace('old ', 'Old ')],
    ['no old size', body.replace(/^old \d+\n/, '')],
    ['an old size beyond what can be counted with', body.replace(/^old \d+/, 'old 9007199254740992')],
    ['a hash without padding', body.replace('\n\n', `\n${hash.slice(0, -1)}\n\n`)],
    ['a short hash', body.replace('\n\n', '\nAAAA\n\n')],
    ['a hash in the URL alphabet', body.replace('\n\n', `\n${'_'.repeat(43)}=\n\n`)],
    ['white space behind a hash', body.replace('\n\n', `\n${hash} \n\n`)],
    ['64 hashes', `old 1\n${`${hash}\n`.repeat(64)}${body.slice(body.indexOf('\n\n') + 1)}`],
    ['a carriage return', body.replace('\n', '\r\n')],
    ['no empty line', body.slice(0, body.indexOf('\n\n')) + '\n'],
    ['no note', body.slice(0, body.indexOf('\n\n') + 2)],
    ['no newline at the end', body.slice(0, -1)],
    ['a byte order mark', `\ufeff${body}`],
  ])('is refused with %s', (_, text) => {
    expect(text).not.toBe(body)
    expect(() => parseAddCheckpoint(text)).toThrow(expect.objectContaining({ name: 'LogError', code: 'malformed' }))
  })

  it('may hold 63 hashes', () => {
    const most = `old 1\n${`${hash}\n`.repeat(63)}${body.slice(body.indexOf('\n\n') + 1)}`
    expect(parseAddCheckpoint(most).hashes).toHaveLength(63)
  })
})

describe('the answer of a witness', () => {
  const text = 'localhost/main/unit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n'
  const witness = (n: number) => createSigningKey(`witness.example/${n}`, 4, new Uint8Array(32).fill(n))

  it('gives the cosignatures of known keys with their time and line, and ignores the others', async () => {
    const [a, b] = [await witness(1), await witness(2)]
    const [byA, byB] = [await cosign(text, a, 1_700_000_000), await cosign(text, b, 1_700_000_001)]
    expect(await readCosignatures(byB + byA, text, [a])).toEqual([{ key: a, time: 1_700_000_000, line: byA }])
    expect(await readCosignatures(byB, text, [a])).toEqual([])
  })

  it('is refused when a known key signed something else, or it is no list of signature lines', async () => {
    const a = await witness(1)
    const other = await cosign(text.replace('unit', 'integration'), a, 1_700_000_000)
    await expect(readCosignatures(other, text, [a])).rejects.toMatchObject({ code: 'bad_signature' })
    const good = await cosign(text, a, 1_700_000_000)
    for (const wrong of [
      '',
      good.slice(0, -1),
      `${good}\n`,
      `\n${good}`,
      `ok\n${good}`,
      `${good}x\n`,
      '<html></html>\n',
    ])
      await expect(readCosignatures(wrong, text, [a])).rejects.toMatchObject({ code: 'malformed' })
  })
})
