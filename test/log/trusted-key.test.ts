import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { openCheckpoint, parseCheckpoint, printCheckpoint } from '../../src/log/checkpoint.ts'
import { hashLeaf } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { type TrustedKey, parseTrustedKey, parseTrustedKeys, printTrustedKey } from '../../src/log/trusted-key.ts'
import { type SigningKey, createSigningKey, parseVkey, printVkey } from '../../src/log/vkey.ts'
import { createAudit } from '../../src/verify/audit.ts'

const origin = 'localhost/main/unit'
const root = hashLeaf(new Uint8Array(0))
let old: SigningKey
let next: SigningKey
beforeAll(async () => {
  old = await createSigningKey(origin, 1, new Uint8Array(32).fill(1))
  next = await createSigningKey(origin, 1, new Uint8Array(32).fill(2))
})
/** Rotated at 100, cut over at 200. */
const oldOnly = (): TrustedKey[] => [{ ...old, until: 200 }]
const newOnly = (): TrustedKey[] => [{ ...next, from: 100 }]
const noteAt = (size: number, ...keys: SigningKey[]) => sealNote(printCheckpoint({ origin, size, root }), keys)
const signers = async (note: Promise<string>, keys: TrustedKey[]): Promise<number[]> =>
  (await openCheckpoint(await note, origin, keys)).signatures.map(({ key }) => key.id)
const refused = (code: string, message: string) => expect.objectContaining({ code, message: expect.stringContaining(message) }) // oxfmt-ignore

describe('a rotated key of a log', () => {
  it('case 15: while both sign, who knows the old key, the new one or both accepts a checkpoint', async () => {
    for (const size of [100, 150, 199]) {
      const note = noteAt(size, old, next)
      expect(await signers(note, oldOnly())).toEqual([old.id])
      expect(await signers(note, newOnly())).toEqual([next.id])
      expect(await signers(note, [...oldOnly(), ...newOnly()])).toEqual([old.id, next.id])
    }
  })

  it('case 15: from the cut-over on only the new key counts, however many signed', async () => {
    for (const size of [200, 5000]) {
      expect(await signers(noteAt(size, next), newOnly())).toEqual([next.id])
      expect(await signers(noteAt(size, old, next), [...oldOnly(), ...newOnly()])).toEqual([next.id])
      await expect(signers(noteAt(size, old, next), oldOnly())).rejects.toEqual(refused('retired_key', `${size}`))
      await expect(signers(noteAt(size, next), oldOnly())).rejects.toEqual(refused('no_trusted_signature', ''))
    }
  })

  it('case 16: a stolen old key signs nothing from the cut-over on, and what it signed before stays good', async () => {
    const keys = [...oldOnly(), ...newOnly()]
    expect(await signers(noteAt(60, old), keys)).toEqual([old.id])
    const told = `retired key ${origin}+${old.id.toString(16).padStart(8, '0')}: it signs sizes below 200, this is 200`
    await expect(signers(noteAt(200, old), keys)).rejects.toEqual(refused('retired_key', told))
    const audit = createAudit({ ledger: 'main/unit', origin, vkeys: keys })
    await audit.expectCheckpoint(await noteAt(200, old))
    expect(audit.finish()).toMatchObject({ signed: -1, differences: [{ kind: 'retired-key', found: told }] })
  })

  it('does not vouch for what was before it', async () => {
    await expect(signers(noteAt(99, next), newOnly())).rejects.toEqual(
      refused('retired_key', 'signs sizes from 100 on'),
    )
  })

  it('case 15: of the golden vectors opens with either key, and not with the old one after its last size', async () => {
    const path = new URL('tlog-vectors.json', import.meta.url)
    const vectors = JSON.parse(readFileSync(path, 'utf8')) as { origin: string; keys: { vkey: string }[]; rotationCheckpoint: { note: string } } // oxfmt-ignore
    const { note } = vectors.rotationCheckpoint
    const { size } = parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1))
    const [one, two] = vectors.keys.map(({ vkey }) => parseVkey(vkey))
    if (one === undefined || two === undefined) throw new Error('no keys')
    for (const keys of [[one], [two], [{ ...one, until: size }, two]])
      expect((await openCheckpoint(note, vectors.origin, keys)).size).toBe(300)
    await expect(openCheckpoint(note, vectors.origin, [{ ...one, until: size }])).rejects.toMatchObject({ code: 'retired_key' }) // oxfmt-ignore
  })
})

describe('a line of a key file', () => {
  it('is read as it is printed', () => {
    for (const range of [{}, { from: 0 }, { from: 7 }, { until: 9 }, { from: 7, until: 7 }, { from: 7, until: 9 }]) {
      const { sign: _, ...key } = old
      const line = printTrustedKey({ ...key, ...range })
      expect(parseTrustedKey(line)).toEqual({ ...key, ...range })
      expect(printTrustedKey(parseTrustedKey(line))).toBe(line)
    }
    expect(printTrustedKey({ ...old, from: 7, until: 9 })).toBe(`${printVkey(old)} from=7 until=9`)
    const file = `# the old one\n${printVkey(old)} until=200\n\n${printVkey(next)} from=100\n`
    expect(parseTrustedKeys(file).map(({ from, until }) => [from, until])).toEqual([[undefined, 200], [100, undefined]]) // oxfmt-ignore
  })

  it('with anything else behind the key is refused: a misspelt until= would make a retired key a good one', () => {
    for (const rest of [' until', ' until=', ' till=9', ' until=9 from=7', ' until=9 until=8', ' until=09', ' until=+9', '  until=9', ' from=9 until=8', ' until=9 ', ' until=99999999999999999999']) // oxfmt-ignore
      expect(() => parseTrustedKey(`${printVkey(old)}${rest}`), rest).toThrow(expect.objectContaining({ name: 'LogError' })) // oxfmt-ignore
    expect(() => parseTrustedKeys(`${printVkey(old)} unti1=9`)).toThrow('from= and until=')
  })
})
