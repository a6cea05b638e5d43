import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTimestampRequest, readTimestampReply, verifyTimestamp } from '../../src/verify/timestamp.ts'
import { type Tsa, type TsaSettings, opensslRefuses, startTsa } from '../support/tsa.ts'

const note = new TextEncoder().encode('localhost/main/unit\n9\nCvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=\n\n— x y\n')
const other = new TextEncoder().encode('localhost/main/unit\n9\n')
let tsa: Tsa
let token: Uint8Array
let nonce: string

async function stamp(by: Tsa, bytes = note): Promise<{ token: Uint8Array; nonce: string }> {
  const { request, nonce: wanted } = await createTimestampRequest(bytes)
  return { token: await readTimestampReply(await by.reply(request)), nonce: wanted }
}
async function withTsa<T>(settings: TsaSettings, work: (by: Tsa) => Promise<T>): Promise<T> {
  const by = await startTsa(settings)
  try {
    return await work(by)
  } finally {
    await by.close()
  }
}

beforeAll(async () => {
  tsa = await startTsa({ key: 'ec' })
  ;({ token, nonce } = await stamp(tsa))
})
afterAll(() => tsa.close())

describe('a time-stamp', () => {
  it('by openssl verifies here and there, with the time, nonce and signer that it names', async () => {
    const found = await verifyTimestamp(token, note, tsa.ca)
    expect(found).toMatchObject({ nonce, policy: '1.2.3.4.1', signer: 'Test TSA', serial: '02' })
    expect(Math.abs(found.timeMs - Date.now())).toBeLessThan(120_000)
    expect(await opensslRefuses(token, note, tsa.caFile)).toBeUndefined()
  })

  it.each<TsaSettings>([{ key: 'rsa' }, { key: 'ec', essCertId: 'v1' }])('verifies by %o', (settings) =>
    withTsa(settings, async (by) => {
      const made = await stamp(by)
      expect(await verifyTimestamp(made.token, note, by.ca)).toMatchObject({ nonce: made.nonce })
      expect(await opensslRefuses(made.token, note, by.caFile)).toBeUndefined()
    }),
  ) // oxfmt-ignore

  it('about other bytes is refused', async () => {
    await expect(verifyTimestamp(token, other, tsa.ca)).rejects.toMatchObject({ code: 'origin_mismatch' })
    expect(await opensslRefuses(token, other, tsa.caFile)).toContain('message imprint mismatch')
  })

  it('of an authority that is not trusted is refused', async () => {
    await withTsa({ key: 'ec' }, async (stranger) => {
      await expect(verifyTimestamp(token, note, stranger.ca)).rejects.toMatchObject({ code: 'no_trusted_signature' })
      expect(await verifyTimestamp(token, note, stranger.ca + tsa.ca)).toMatchObject({ nonce })
    })
    for (const pem of ['', 'x', tsa.ca.replace('MII', 'M!I'), tsa.ca.slice(0, 200)])
      await expect(verifyTimestamp(token, note, pem)).rejects.toMatchObject({ code: 'key_invalid' })
  })

  it('signed by openssl in another way than an authority does is refused, for what is wrong with it', async () => {
    expect(await verifyTimestamp(tsa.resign(token), note, tsa.ca)).toMatchObject({ signer: 'Another', nonce })
    for (const usage of ['critical,clientAuth', 'timeStamping', 'critical,timeStamping,codeSigning'])
      await expect(verifyTimestamp(tsa.resign(token, { usage }), note, tsa.ca)).rejects.toThrow('not for time-stamping alone') // oxfmt-ignore
    for (const [settings, code] of [
      [{ from: -9, to: -2 }, 'no_trusted_signature'], // the certificate had ended by then
      [{ from: 2, to: 9 }, 'no_trusted_signature'],
      [{ options: [] }, 'bad_signature'], // the signature does not name its certificate
      [{ options: ['-cades', '-md', 'sha1'] }, 'bad_signature'],
      [{ options: ['-cades', '-nocerts'] }, 'bad_signature'],
      [{ options: ['-cades', '-signer', 'tsa.pem', '-inkey', 'tsa.key'] }, 'malformed'], // two signatures
      [{ type: '1.2.840.113549.1.7.1' }, 'malformed'],
    ] as const) {
      const made = tsa.resign(token, {
        ...settings,
        options: [...('options' in settings ? settings.options : ['-cades'])],
      })
      await expect(verifyTimestamp(made, note, tsa.ca), JSON.stringify(settings)).rejects.toMatchObject({ code })
    }
  })

  it('with any byte changed, cut off or added is refused or says the same (seeded)', async () => {
    const said = await verifyTimestamp(token, note, tsa.ca)
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Uint8Array.from(token)
        changed[at] = (changed[at] ?? 0) ^ flip
        const found = await verifyTimestamp(changed, note, tsa.ca).catch((error: unknown) => {
          expect(error).toMatchObject({ name: 'LogError' })
          return said
        })
        expect(found).toEqual(said)
      }),
      { numRuns: 400 },
    )
    for (const length of [0, 1, 10, token.length - 1])
      await expect(verifyTimestamp(token.subarray(0, length), note, tsa.ca)).rejects.toMatchObject({
        code: 'malformed',
      })
    await expect(verifyTimestamp(Uint8Array.from([...token, 0]), note, tsa.ca)).rejects.toMatchObject({
      code: 'malformed',
    })
  })
})

describe('a reply', () => {
  it('of an authority that refuses says why', async () => {
    const { request } = await createTimestampRequest(note)
    const wrong = Uint8Array.from(request)
    wrong[wrong.indexOf(0x06) + 10] = 99 // the digest is none that it knows
    await expect(readTimestampReply(await tsa.reply(wrong))).rejects.toThrow(/the authority refuses: status 2/)
  })

  it('that is none is refused', async () => {
    for (const bytes of [new Uint8Array(), new TextEncoder().encode('<html></html>'), token])
      await expect(readTimestampReply(bytes)).rejects.toMatchObject({ code: 'malformed' })
  })
})
