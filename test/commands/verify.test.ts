import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256, startFakeService, type FakeService } from './fake-service.ts'
import { makeCheckout, runProgram, type Ran } from './run-program.ts'

let service: FakeService
let folder: string
beforeEach(async () => {
  service = await startFakeService()
  folder = makeCheckout()
})
afterEach(async () => {
  await service.close()
  rmSync(join(folder, '..'), { recursive: true, force: true })
})

const proofline = (...args: string[]): Promise<Ran> => runProgram(folder, args, { PROOFLINE_URL: service.url })
const appendMany = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await service.append({ run: 'r', n: service.records.length })
}

describe('proofline verify <service>', () => {
  const verify = (...args: string[]): Promise<Ran> =>
    proofline('verify', service.url, '--ledger', 'unit', '--key', service.vkey, ...args)

  it('hashes every record again and says who signed', async () => {
    await appendMany(255)
    expect(await verify()).toEqual({
      code: 0,
      stderr: '',
      stdout: 'ok  main/unit  255 records, every one hashed again, lead to the root signed by localhost/main/unit\n',
    })
    const { stdout } = await verify('--json')
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'ok',
      checks: [{ check: 'main/unit', verdict: 'ok', size: 255 }],
    })
  })

  it('names the first bad seq, what was expected and what was found', async () => {
    await appendMany(5)
    const note = service.records[3]!
    note[note.length - 2] = '9'.charCodeAt(0)
    const { code, stdout } = await verify('--json')
    expect(code).toBe(1)
    const [check] = (JSON.parse(stdout) as { checks: { seq: number; detail: string }[] }).checks
    expect(check).toMatchObject({
      seq: 3,
      detail: expect.stringMatching(
        /^first bad seq 3: id-mismatch: expected payload hash \w+, found payload hash \w+/,
      ) as string,
    })
  })

  it('remembers what it verified, and demands that the log extends it', async () => {
    await appendMany(3)
    expect((await verify('--since', '../seen.json')).code).toBe(0)
    await appendMany(4)
    const grown = await verify('--since', '../seen.json')
    expect(grown.stdout).toContain(
      '7 records, every one hashed again, lead to the root signed by localhost/main/unit, and extends the 3 remembered',
    )
    service.records.length = 5
    const back = await verify('--since', '../seen.json')
    expect(back).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('rollback: expected at least 7 records as remembered, found 5') as string,
    })
    service.records.length = 1
    await appendMany(9)
    service.records.splice(0, 10)
    await service.append({ run: 'another' })
    await appendMany(9)
    const forked = await verify('--since', '../seen.json')
    expect(forked.code).toBe(1)
    expect(forked.stdout).toContain('root-mismatch')
    expect(readFileSync(join(folder, '../seen.json'), 'utf8')).toContain('\\n7\\n')
  })

  it('takes the four ledgers, and names them for another', async () => {
    expect(await verify('--ledger', 'nope')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /unit, integration, changes, operations, .* not nope \[request_invalid\]/,
      ) as string,
    })
  })

  it('ends with 4 when the service cannot be reached', async () => {
    service.failNext('/checkpoint', 'drop')
    expect((await verify()).code).toBe(4)
  })
})

describe('proofline feed', () => {
  it('prints every record, one a line, and goes on from its cursor file', async () => {
    await appendMany(5)
    const args = ['feed', 'unit', '--after', '-1', '--limit', '2', '--cursor-file', '../cursor']
    const first = await proofline(...args)
    expect(first.code).toBe(0)
    expect(first.stdout).toBe(service.records.map((record) => `${Buffer.from(record).toString()}\n`).join(''))
    await appendMany(1)
    const second = await proofline(...args)
    expect(second.stdout).toBe(`${Buffer.from(service.records[5]!).toString()}\n`)
  })

  it('demands a start', async () => {
    const { code, stderr } = await proofline('feed', 'unit')
    expect(code).toBe(2)
    expect(stderr).toContain('say --after -1 for everything from the start')
  })
})

describe('proofline artifact get', () => {
  it('writes the bytes only when they are what they are called', async () => {
    expect((await proofline('artifact', 'get', sha256('artifact'))).stdout).toBe('artifact')
    expect((await proofline('artifact', 'get', sha256('artifact'), '-o', '../a')).code).toBe(0)
    expect(readFileSync(join(folder, '../a'), 'utf8')).toBe('artifact')
    const altered = await proofline('artifact', 'get', sha256('altered'), '-o', '../b')
    expect(altered.code).toBe(1)
    expect(altered.stderr).toContain('[integrity]')
    expect(existsSync(join(folder, '../b'))).toBe(false)
    expect((await proofline('artifact', 'get', sha256('nothing'))).code).toBe(1)
  })
})

describe('proofline status and destinations', () => {
  it('print tables for people and JSON for machines', async () => {
    await appendMany(2)
    const { stdout } = await proofline('status')
    expect(stdout).toBe(
      `proofline 1 at ${service.url}, org main, as of unit:2\n\nledger     recorded  published\nmain/unit  2         2\n\nfollower  ledger     next  lag\nsplunk    main/unit  1     2\n`,
    )
    expect(JSON.parse((await proofline('status', '--json')).stdout)).toMatchObject({ as_of: 'unit:2' })
    expect((await proofline('destinations')).stdout).toBe('no destinations are configured\n')
    expect((await proofline('destinations', 'list', '--json')).stdout).toBe('[]\n')
  })

  it('say of a destination why nothing goes there, goes with less proof, or was not taken', async () => {
    const at = { ledger: 'main/unit', sent_to: 5, proved_to: 4, published: 9, in_doubt: 1, parked: 0, redeliveries: [] }
    const whole = { kind: 'splunk', state: 'running' as const, proof: 'ack' }
    const stood = { state: 'running' as const, reason: undefined, detail: '' }
    const failure = { at: '2026-11-23T05:00:00.000000Z', reason: 'connect 127.0.0.1:9: ECONNREFUSED', address: null, phase: 'connect' } // oxfmt-ignore
    service.destinations.push(
      {
        ...whole,
        name: 'weak',
        ledgers: [{ ...at, ...stood, reason: 'weaker_proof', detail: 'HEC 200/0 without an id' }],
      },
      { ...whole, name: 'shut', ledgers: [{ ...at, state: 'blocked', reason: 'credentials', detail: '403/4' }] },
      { ...whole, name: 'held', ledgers: [{ ...at, state: 'paused', reason: 'by token:ann', detail: 'maintenance' }] },
      { ...whole, name: 'away', ledgers: [{ ...at, ...stood, failure }] },
      { ...whole, name: 'well', ledgers: [{ ...at, ...stood, failure: null }] },
    )
    const { stdout } = await proofline('destinations')
    expect(stdout.split('\n').slice(6)).toEqual([
      'weak proves main/unit in another way than is configured: HEC 200/0 without an id',
      'shut takes nothing of main/unit: credentials: 403/4',
      'held is sent nothing of main/unit: paused by token:ann: maintenance',
      'away did not take main/unit at 2026-11-23T05:00:00.000000Z: connect 127.0.0.1:9: ECONNREFUSED',
      '',
    ])
  })

  it('say how many missing records an order did not cover, and end with 3 then', async () => {
    const answer = {
      destination: 'elk',
      orders: [{ ledger: 'main/unit', n: 4, first: 5, last: 9 }],
      records: 2,
      left: 0,
    }
    const order = () => proofline('destinations', 'redeliver', 'elk', '--missing', '--reason', 'x')
    service.canned.set('/v1/destinations/elk/redeliver', answer)
    expect(await order()).toMatchObject({ code: 0, stdout: 'order 4: main/unit 5-9\n2 records at most; proofline destinations shows how far it is\n' }) // oxfmt-ignore
    service.canned.set('/v1/destinations/elk/redeliver', { ...answer, left: 7 })
    expect(await order()).toMatchObject({ code: 3, stdout: expect.stringMatching(/how far it is\n7 more are missing than were noted: when these are there, proofline destinations reconcile elk, and this again\n$/) as string }) // oxfmt-ignore
    service.canned.set('/v1/destinations/elk/redeliver', { ...answer, orders: [], records: 0 })
    expect(await order()).toMatchObject({ code: 0, stdout: 'nothing is missing that is not under way already\n' })
  })
})
