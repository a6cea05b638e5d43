import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReceiptDocument } from '../../src/commands/receipt.ts'
import { verifyReceipt } from '../../src/commands/verify-receipt.ts'
import { parseTrustedKey } from '../../src/log/trusted-key.ts'
import { startFakeService } from './fake-service.ts'
import { makeCheckout, runProgram, write, type Ran } from './run-program.ts'

const otherKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
/** One receipt of a push into a log of 300 records; its service is gone. */
let folder: string
let text: string
let vkey: string
beforeAll(async () => {
  folder = makeCheckout()
  const service = await startFakeService()
  for (let n = 0; n < 300; n++) await service.append({ run: 'r', n })
  const args = ['coverage/lcov.info', '--test-type', 'unit', '--tests', '1,1,0,0', '--receipt', '../receipt.json']
  await runProgram(folder, ['push', ...args], { PROOFLINE_URL: service.url })
  text = readFileSync(join(folder, '../receipt.json'), 'utf8')
  vkey = service.vkey
  await service.close()
})
afterAll(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

function changed(edit: (document: ReceiptDocument) => void): string {
  const document = JSON.parse(text) as ReceiptDocument
  edit(document)
  return JSON.stringify(document)
}

describe('verifyReceipt', () => {
  it.each<[string, (document: ReceiptDocument) => void, RegExp]>([
    [
      'a receipt that says other than its record',
      (d) => void Object.assign(d.parts[0]!.totals.recomputed, { lines: { found: 2, covered: 2 } }),
      /the receipt and its record differ in totals/,
    ],
    [
      'a record with other bytes',
      (d) => void (d.evidence[0]!.record = d.evidence[0]!.record.replace('"files":1', '"files":2')),
      /malformed: expected a record of main\/unit, found record \S+: payload hashes to/,
    ],
    [
      'a proof of another record',
      (d) => void (d.evidence[0]!.proof = d.evidence[1]!.proof),
      /proof-mismatch: expected a proof for index 302, found a proof for index 303/,
    ],
    [
      'a checkpoint with another size',
      (d) => void (d.evidence[0]!.proof = d.evidence[0]!.proof.replace('\n304\n', '\n305\n')),
      /bad signature for key localhost\/main\/unit/,
    ],
    [
      'a receipt that calls the run otherwise',
      (d) => void (d.run = 'nightly.default.unit'),
      /the receipt is of nightly\.default\.unit in main\/unit, record \S+ of local\./,
    ],
    [
      'the declaration of another run',
      (d) => void (d.declaration!.run = 'nightly.default.unit'),
      /the declaration of nightly\.default\.unit in main\/unit/,
    ],
    [
      'a receipt without its parts',
      (d) => void (d.parts = []),
      /holds the proof of record main\.unit-302-\S+, but says nothing of that record\n.*the seal counts 1 part, the receipt holds none/,
    ],
    [
      'a receipt without its parts and their proofs',
      (d) => void Object.assign(d, { parts: [], evidence: d.evidence.slice(1) }),
      /the seal counts 1 part, the receipt holds none/,
    ],
    [
      'a receipt without its seal',
      (d) => void (d.seal = null),
      /holds the proof of record main\.unit-303-\S+, but says nothing of that record/,
    ],
    [
      'a part that is passed off as the seal',
      (d) => void (d.seal!.id = d.evidence[0]!.id),
      /expected a record of kind seal, found "part"/,
    ],
  ])('names %s', async (_, edit, said) => {
    const checks = await verifyReceipt(changed(edit), [parseTrustedKey(vkey)])
    expect(checks.map(({ detail }) => detail).join('\n')).toMatch(said)
    expect(checks.some(({ verdict }) => verdict === 'differs')).toBe(true)
  })

  it('believes no key but those it was given', async () => {
    const [first] = await verifyReceipt(text, [parseTrustedKey(otherKey)])
    expect(first).toMatchObject({
      verdict: 'differs',
      detail: 'no key given here is for a log of ledger main/unit: PeterNeumann',
    })
  })
})

describe('proofline verify <receipt>', { timeout: 90_000 }, () => {
  const verify = (receipt: string, ...args: string[]): Promise<Ran> => {
    writeFileSync(join(folder, '../receipt.json'), receipt)
    return runProgram(folder, ['verify', '../receipt.json', ...args])
  }

  it('needs neither service nor database, only a key, given or in the data folder', async () => {
    expect((await verify(text)).stderr).toContain('say whose signature is believed: --key')
    expect(await verify(text, '--key', vkey)).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(
        /^ok {2}part coverage\/lcov\.info {2}main\.unit-302-\S+, in the log of 304 records signed by localhost\/main\/unit\nok {2}seal {21}main\.unit-303-.*\nok {2}run {22}local\.\S+, 1 part, ended by the seal\n$/,
      ) as string,
    })
    write(folder, '.proofline/keys/main.unit.vkey', `${vkey}\n`)
    expect(await verify(text)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^believed are the keys in \S+\.proofline\/keys; /),
    })
  })

  it('ends with 1 when it differs, with 3 when it holds no proofs, with 2 for another file', async () => {
    const differs = await verify(
      changed((d) => void (d.parts = [])),
      '--key',
      vkey,
    )
    expect(differs).toMatchObject({ code: 1, stdout: expect.stringMatching(/^DIFFERS/m) })
    expect(
      (
        await verify(
          changed((d) => void (d.evidence = [])),
          '--key',
          vkey,
        )
      ).code,
    ).toBe(3)
    expect((await verify('{}', '--key', vkey)).code).toBe(2)
    expect(await runProgram(folder, ['verify', 'nofile.json', '--key', vkey])).toMatchObject({
      code: 2,
      stderr: 'proofline: there is no file nofile.json [request_invalid]\n',
    })
  })
})
