import { beforeAll, describe, expect, it } from 'vitest'
import { cosign } from '../../src/log/note.ts'
import { type SigningKey, createSigningKey } from '../../src/log/vkey.ts'
import type { Seen } from '../../src/vouching/ask.ts'
import { readWitnessAnswer } from '../../src/vouching/witness-answer.ts'

const text = 'localhost/main/unit\n9\nCvhHViE3S9E3htHLR+25mapWoGCJ3WckMq1UtC3VmEY=\n'
const now = new Date('2026-11-30T12:00:00Z')
const seconds = now.getTime() / 1000
let key: SigningKey
let other: SigningKey
beforeAll(async () => {
  key = await createSigningKey('witness.example/a', 4, new Uint8Array(32).fill(1))
  other = await createSigningKey('witness.example/b', 4, new Uint8Array(32).fill(2))
})

const seen = (status: number, body = ''): Seen => ({ kind: 'answer', status, headers: {}, body: Buffer.from(body) })
const read = (answer: Seen, oldSize = 5, size = 9) => readWitnessAnswer(answer, { oldSize, size, text, key, now })

describe('what a witness answers', () => {
  it('is a cosignature by its key, beside whatever others', async () => {
    const line = await cosign(text, key, seconds)
    const cosigned = { kind: 'cosigned', cosignature: { key, time: seconds, line } }
    expect(await read(seen(200, line))).toEqual(cosigned)
    expect(await read(seen(200, (await cosign(text, other, seconds)) + line))).toEqual(cosigned)
    expect(await read(seen(200, await cosign(text, key, seconds + 300)))).toMatchObject({ kind: 'cosigned' })
  })

  it('is nothing when the cosignature is of another key, text or far future, or is none', async () => {
    const failed = (detail: RegExp) => ({ kind: 'failed', detail: expect.stringMatching(detail) })
    expect(await read(seen(200, await cosign(text, other, seconds)))).toEqual(failed(/no cosignature by its key/))
    expect(await read(seen(200, await cosign(text.replace('9', '8'), key, seconds)))).toEqual(failed(/bad signature/))
    expect(await read(seen(200, await cosign(text, key, seconds + 301)))).toEqual(failed(/301 s in the future/))
    for (const body of ['', 'ok', '<html></html>\n', (await cosign(text, key, seconds)).trimEnd()])
      expect(await read(seen(200, body))).toEqual(failed(/is refused/))
    // A timestamp in little-endian, as transparency-dev/formats once wrote it.
    const [dash, name, encoded = ''] = (await cosign(text, key, seconds)).trimEnd().split(' ')
    const bytes = Buffer.from(encoded, 'base64')
    bytes.subarray(4, 12).reverse()
    expect(await read(seen(200, `${dash} ${name} ${bytes.toString('base64')}\n`))).toEqual(failed(/bad signature/))
  })

  it('names another size, with or without the newline and the content type', async () => {
    expect(await read(seen(409, '7\n'))).toEqual({ kind: 'elsewhere', size: 7 })
    expect(await read(seen(409, '70'))).toEqual({ kind: 'elsewhere', size: 70 })
    for (const body of ['5\n', '', 'x', '-1\n', '07\n', '1e3\n', '9007199254740993\n', '7\n7\n'])
      expect(await read(seen(409, body))).toMatchObject({ kind: 'failed' })
  })

  it('contradicts us by 422, and by 409 without a body where sizes are the same', async () => {
    expect(await read(seen(422, 'no'))).toEqual({ kind: 'contradicts', detail: 'HTTP 422: no' })
    expect(await read(seen(409, ''), 9, 9)).toEqual({ kind: 'contradicts', detail: 'HTTP 409' })
  })

  it('fails in every other way, with what was seen', async () => {
    for (const status of [201, 204, 301, 400, 401, 403, 404, 429, 500, 503])
      expect(await read(seen(status, 'reason\nmore'))).toEqual({ kind: 'failed', detail: `HTTP ${status}: reason` })
    expect(await read({ kind: 'failure', detail: 'connect 127.0.0.1:1: refused' })).toEqual({ kind: 'failed', detail: 'connect 127.0.0.1:1: refused' }) // oxfmt-ignore
  })
})
