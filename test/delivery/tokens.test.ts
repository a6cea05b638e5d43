import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Destination } from '../../src/delivery/destination.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'
import { createCollector } from '../../src/delivery/collector.ts'
import type { Outgoing } from '../../src/delivery/outgoing.ts'
import { toSecret } from '../../src/delivery/secret.ts'
import { fixed, openFile } from '../../src/delivery/source.ts'
import { createTokens } from '../../src/delivery/tokens.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { startFakeHec } from '../support/hec.ts'
import { attemptId } from './contract.ts'
import { elasticSettings, quick, splunkSettings } from './lane.ts'
import { makeRecord } from './records.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(30_000)
})
const records = [0, 1, 2].map((seq) => makeRecord(seq))

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'proofline-tokens-'))
  closers.push(() => rmSync(made, { recursive: true }))
  return made
}
let written = 0
/** Each version has a time of its own, whatever the clock of the file system can tell apart. */
function write(file: string, text: string): void {
  writeFileSync(file, text)
  const at = new Date(Date.now() + ++written * 1_000)
  utimesSync(file, at, at)
}

async function hec(options: Parameters<typeof startFakeHec>[0] = {}) {
  const fake = await startFakeHec({ useAck: true, ...options })
  closers.push(fake.close)
  return fake
}
async function opened(settings: ReturnType<typeof splunkSettings>): Promise<Destination> {
  const destination = await openDestination(settings, { publicHost: 'p', now: () => new Date() })
  closers.push(destination.close)
  return destination
}
async function send(destination: Destination, more: Parameters<typeof attemptId>[0] = {}) {
  const rendered = destination.render(records, attemptId({ channel: randomUUID(), ...more }))
  const answer = await destination.send(rendered, signal)
  return { rendered, answer, outcome: destination.classify(rendered, answer)[0] }
}

describe('two tokens', () => {
  const rotating = { token: 'new-token', previous_token: 'planted-hec-token-5ec7e7ed' }

  it('case 16: a refused one makes way for the other within the attempt, which stores once, and which is used first from then on', async () => {
    const fake = await hec()
    const destination = await opened(splunkSettings(fake, { proof: 'ack', ...rotating }))
    const first = await send(destination)
    expect(first.outcome).toEqual({ kind: 'accepted', ackId: 0 })
    expect(records.map(({ id }) => fake.copies(id))).toEqual([1, 1, 1])
    expect(fake.refusals).toBe(1)
    await send(destination)
    expect(fake.refusals).toBe(1)
    // The new one is switched on and the old one off: back again, at the price of one refusal.
    fake.token = 'new-token'
    expect((await send(destination)).outcome).toMatchObject({ kind: 'accepted' })
    expect(fake.refusals).toBe(2)
  })

  it('case 16: an acknowledgement is asked with the token of its attempt, also when both have attempts on their way', async () => {
    const fake = await hec({ otherToken: 'new-token' })
    const destination = await opened(splunkSettings(fake, { proof: 'ack', search: undefined, ...rotating }))
    const byNew = await send(destination)
    fake.otherToken = undefined
    const byOld = await send(destination)
    fake.otherToken = 'new-token'
    const trails = [byNew, byOld].map(({ answer }) => (answer.kind === 'answer' ? answer.token : undefined))
    expect(new Set(trails).size).toBe(2)
    for (const [i, { rendered }] of [byNew, byOld].entries()) {
      const now = new Date()
      const attempt = {
        id: rendered.attempt,
        target: rendered.target,
        members: 3,
        records: async () => records,
        openedAt: now,
        deadline: now,
      }
      const other = trails[1 - i]
      expect(await destination.look({ ...attempt, trail: { ackId: 0, token: other! } }, signal)).toMatchObject([{ kind: 'unknown' }, {}, {}]) // oxfmt-ignore
      expect(await destination.look({ ...attempt, trail: { ackId: 0, token: trails[i]! } }, signal)).toMatchObject([{ kind: 'present' }, {}, {}]) // oxfmt-ignore
    }
  })

  it('blocks when none of them is taken, having tried each once, and gives no token away', async () => {
    const fake = await hec({ token: 'a-third' })
    const destination = await opened(splunkSettings(fake, rotating))
    const { outcome, answer } = await send(destination)
    expect(outcome).toMatchObject({ kind: 'unsent', block: 'credentials' })
    expect(fake.refusals).toBe(2)
    expect(JSON.stringify(answer)).not.toMatch(/new-token|planted-hec-token-5ec7e7ed/)
  })

  it("does not take a proxy's page for HEC's word about the token", async () => {
    const fake = await hec()
    const destination = await opened(
      splunkSettings(fake, { token: 'planted-hec-token-5ec7e7ed', previous_token: 'another-token' }),
    )
    fake.answerNext(403, '<html>blocked</html>')
    expect((await send(destination)).outcome).toMatchObject({ kind: 'unsent', block: 'credentials' })
    expect([fake.counters.requests, fake.refusals]).toEqual([1, 0])
  })

  it('keeps to send_before for the second one', async () => {
    const fake = await hec()
    let clock = 0
    const settings = splunkSettings(fake, { proof: 'ack', ...rotating })
    const destination = await openDestination(settings, {
      publicHost: 'p',
      now: () => new Date(),
      monotonicMs: () => clock,
    })
    closers.push(destination.close)
    fake.beforeRefusing = () => void (clock = 11_000)
    expect((await send(destination, { sendBeforeMs: 10_000, deadlineMs: 70_000 })).answer).toEqual({ kind: 'expired' })
    expect(fake.ids()).toEqual([])
  })

  it('gives a body back when no try reads it any more, and not before', async () => {
    const answers = [
      { status: 403, body: '{"code":4}' },
      { status: 200, body: '{"code":0}' },
    ]
    for (const letsGo of [
      [true, true],
      [false, true],
      [true, false],
    ]) {
      let n = 0
      const request: Outgoing['request'] = async ({ left, body }) => {
        const i = n++
        if (letsGo[i] === true && body !== undefined) left?.(body)
        return { kind: 'answer', headers: {}, address: 'a', elapsedMs: 0, ...answers[i]! }
      }
      const collector = createCollector({ request }, createTokens([fixed(toSecret('a')), fixed(toSecret('b'))]))
      const back: Buffer[] = []
      const body = Buffer.from('{}')
      await collector.post({ path: '/x', channel: 'c', body, left: (one) => void back.push(one) }, signal)
      expect(back).toEqual(letsGo.every(Boolean) ? [body] : [])
    }
  })

  it('sends the whole of a large body again, compressed or not', async () => {
    const many = Array.from({ length: 900 }, (_, seq) => makeRecord(seq))
    for (const compression of ['none', 'gzip']) {
      const fake = await hec()
      const destination = await opened(splunkSettings(fake, { ...rotating, compression }))
      for (let i = 0; i < 3; i++) {
        fake.token = i % 2 === 0 ? 'planted-hec-token-5ec7e7ed' : 'new-token'
        const rendered = destination.render(many, attemptId({ deadlineMs: performance.now() + 10_000, try: i }))
        const answer = await destination.send(rendered, signal)
        expect(destination.classify(rendered, answer)[0]).toMatchObject({ kind: 'delivered' })
      }
      expect(new Set(many.map(({ id }) => fake.copies(id)))).toEqual(new Set([3]))
    }
  })
})

describe('a secret in a file', () => {
  it('is read again at once when it was refused: a rotation in place needs neither a second token nor a restart', async () => {
    const file = join(folder(), 'token')
    write(file, 'planted-hec-token-5ec7e7ed\n')
    const fake = await hec()
    const destination = await opened(splunkSettings(fake, { token: undefined, token_file: file }))
    expect((await send(destination)).outcome).toMatchObject({ kind: 'delivered' })
    fake.token = 'rotated-token'
    write(file, 'rotated-token\n')
    expect((await send(destination)).outcome).toMatchObject({ kind: 'delivered' })
  })

  it('case 16: that was replaced is still asked with for acknowledgements of what it sent', async () => {
    const file = join(folder(), 'token')
    write(file, 'planted-hec-token-5ec7e7ed')
    const fake = await hec({ otherToken: 'rotated-token' })
    const destination = await opened(splunkSettings(fake, { proof: 'ack', search: undefined, token: undefined, token_file: file })) // oxfmt-ignore
    const one = await send(destination)
    write(file, 'rotated-token')
    fake.token = 'nobody'
    await send(destination)
    fake.token = 'planted-hec-token-5ec7e7ed'
    const now = new Date()
    const { rendered, answer } = one
    const trail = { ackId: 0, ...(answer.kind === 'answer' ? { token: answer.token! } : {}) }
    const attempt = {
      id: rendered.attempt,
      target: rendered.target,
      members: 3,
      records: async () => records,
      openedAt: now,
      deadline: now,
      trail,
    }
    expect(await destination.look(attempt, signal)).toMatchObject([{ kind: 'present' }, {}, {}])
  })

  it('serves the search and Elastic in the same way', async () => {
    const [searchFile, keyFile] = [join(folder(), 'search'), join(folder(), 'key')]
    write(searchFile, 'planted-search-token-5ec7e7ed')
    const fake = await hec()
    const search = { url: fake.searchUrl, token_file: searchFile, lag_ms: 0, timeout_ms: 1_000 }
    const splunk = await opened(destinationSettings.parse({ type: 'splunk', url: fake.url, token: 'planted-hec-token-5ec7e7ed', ...quick, search })) // oxfmt-ignore
    const { rendered } = await send(splunk)
    const past = new Date(Date.now() - 1_000)
    const attempt = {
      id: rendered.attempt,
      target: rendered.target,
      members: 3,
      records: async () => records,
      openedAt: past,
      deadline: past,
    }
    fake.searchToken = 'rotated-token'
    expect(await splunk.look(attempt, signal)).toMatchObject([{ kind: 'unknown' }, {}, {}])
    write(searchFile, 'rotated-token')
    expect(await splunk.look(attempt, signal)).toMatchObject([{ kind: 'present' }, {}, {}])

    const bulk = await startFakeBulk()
    closers.push(bulk.close)
    write(keyFile, 'wrong-key')
    const elastic = await opened(elasticSettings(bulk, { api_key: undefined, api_key_file: keyFile }))
    expect((await send(elastic)).outcome).toMatchObject({ kind: 'unsent', block: 'credentials' })
    write(keyFile, bulk.apiKey)
    expect((await send(elastic)).outcome).toMatchObject({ kind: 'delivered' })
  })

  it('is looked at once a second at most, and what cannot be read holds what was read last', async () => {
    const file = join(folder(), 'value')
    let clock = 0
    write(file, 'one')
    const text = (bytes: Buffer): string => {
      if (bytes.length === 0) throw new Error('empty')
      return bytes.toString()
    }
    const source = await openFile('token_file', file, text, () => clock)
    write(file, 'two')
    expect(await source.read()).toBe('one')
    clock = 1_000
    expect(await source.read()).toBe('two')
    write(file, '')
    clock = 2_000
    expect(await source.read()).toBe('two')
    rmSync(file)
    clock = 3_000
    expect(await source.read()).toBe('two')
    write(file, 'three')
    source.expire()
    expect(await source.read()).toBe('three')
  })

  it('stops the start with the name of its setting', async () => {
    const settings = splunkSettings(await hec(), { previous_token_file: '/nowhere/token' })
    await expect(opened(settings)).rejects.toThrow('previous_token_file: /nowhere/token cannot be read')
    const file = join(folder(), 'token')
    write(file, ' \n')
    await expect(opened(splunkSettings(await hec(), { token: undefined, token_file: file }))).rejects.toThrow(
      'is empty',
    )
    write(file, 'seven77\n')
    for (const named of [{ token: undefined, token_file: file }, { previous_token_file: file }])
      await expect(opened(splunkSettings(await hec(), named))).rejects.toThrow(
        `_file: what ${file} holds has fewer than 8 characters`,
      )
  })
})
