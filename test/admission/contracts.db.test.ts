import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ContractOffer } from '../../src/admission/register-contract.ts'
import { Problem } from '../../src/record/problem.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { type ContractService, aPrincipal, openContracts } from './contract-service.ts'

let database: TestDatabase
let node: TestNode
let second: TestNode
let here: ContractService
let there: ContractService
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  node = await openNode(database.db, signer, 'a', 'main/changes')
  second = await openNode(database.db, signer, 'b', 'main/changes')
  here = openContracts(database.db, node)
  there = openContracts(database.db, second)
})
afterAll(async () => {
  await node.book.close()
  await second.book.close()
  await database.drop()
})

const ci = aPrincipal(['push'])
const operator = aPrincipal(['operate'])
const ref = 'refs/heads/main'
const commit = 'c'.repeat(40)
const textOf = (more: string): string => `version: 1\nrefs: [refs/heads/main]\n${more}\n`
const offer = (repository: string, parent: number, more: string, rest: Partial<ContractOffer> = {}): ContractOffer => ({
  repository,
  parent,
  text: textOf(more),
  ref,
  commit,
  ...rest,
})
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  )
const records = async (kind: string): Promise<Record<string, unknown>[]> => {
  const batch = await node.reader.readBatch('main/changes', 0)
  return batch.records
    .filter((record) => record.kind === kind)
    .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)
}

describe('registerContract', () => {
  it('makes versions that name the one before, and the newest stands', async () => {
    const first = await here.register(ci, offer('r/versions', 0, 'mode: observe'))
    const next = await here.register(ci, offer('r/versions', 1, 'mode: enforce'))
    expect(first).toMatchObject({ created: true, registered: { contract_version: 1, parent: null } })
    expect(next.registered).toMatchObject({ contract_version: 2, parent: first.registered.contract, ref, commit })
    const { own, effective } = await there.contracts.contractAt('r/versions')
    expect(own).toEqual(next.registered)
    expect(effective?.mode).toBe('enforce')
    const at = await there.contracts.contractAt('r/versions', next.registered.seq)
    expect(at.own?.contract_version).toBe(1)
    expect((await there.contracts.contractAt('r/versions', first.registered.seq)).own).toBeUndefined()
    expect(await records('contract')).toContainEqual(
      expect.objectContaining({
        repository: 'r/versions',
        contract_version: 2,
        mode: 'enforce',
        by: { method: 'token', subject: 'token:push' },
      }),
    )
  })

  it('answers the same contract again with the version that stands, however it is written, and records nothing', async () => {
    const first = await here.register(ci, offer('r/again', 0, 'mode: observe'))
    const size = (await node.reader.published('main/changes'))?.size
    const again = await here.register(ci, offer('r/again', 0, '# the same\nmode:   "observe"'))
    const onTop = await here.register(ci, offer('r/again', 1, 'mode: observe'))
    expect([again, onTop]).toEqual([1, 2].map(() => ({ created: false, registered: first.registered })))
    expect((await node.reader.published('main/changes'))?.size).toBe(size)
  })

  it('joins a late repetition of an older version, which changes nothing about the one that stands', async () => {
    await here.register(ci, offer('r/late', 0, 'late: 1h'))
    await here.register(ci, offer('r/late', 1, 'late: 2h'))
    await here.register(ci, offer('r/late', 2, 'late: 3h'))
    const repeated = await here.register(ci, offer('r/late', 1, 'late: 2h'))
    expect(repeated).toMatchObject({ created: false, registered: { contract_version: 2 } })
    expect((await here.contracts.contractAt('r/late')).own?.contract_version).toBe(3)
  })

  it('of two at once on two nodes takes one, and shows the other what differs', async () => {
    for (let round = 0; round < 5; round++) {
      const repository = `r/race-${round}`
      const settled = await Promise.allSettled([
        here.register(ci, offer(repository, 0, 'mode: observe\nlate: 1h')),
        there.register(ci, offer(repository, 0, 'mode: observe\nlate: 2h')),
      ])
      const won = settled.filter((one) => one.status === 'fulfilled')
      const lost = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as Problem] : []))
      expect([won.length, lost.map(({ code }) => code)]).toEqual([1, ['contract_conflict']])
      const [late, other] = settled[0]?.status === 'fulfilled' ? ['1h', '2h'] : ['2h', '1h']
      expect(lost[0]?.extra).toMatchObject({
        standing: { contract_version: 1 },
        difference: [{ path: 'late', from: late, to: other }],
      })
      expect(lost[0]?.message).toContain(`~ late: ${late} -> ${other}`)
      const stands = (await here.contracts.contractAt(repository)).own
      expect(stands?.parsed.late).toBe(late)
      const rejection = (await records('rejection')).find((one) => one['repository'] === repository)
      expect(rejection).toMatchObject({
        reason: 'contract_conflict',
        offered: { sha256: lost[0]?.extra['offered_sha256'] },
        first: { sha256: stands?.contract, seq: stands?.seq },
      })
    }
  })

  it('refuses what was made from an older version, or from one that does not exist', async () => {
    await here.register(ci, offer('r/old', 0, 'late: 1h'))
    await here.register(ci, offer('r/old', 1, 'late: 2h'))
    expect(await codeOf(here.register(ci, offer('r/old', 1, 'late: 9h')))).toBe('contract_conflict')
    expect(await codeOf(here.register(ci, offer('r/old', 3, 'late: 9h')))).toBe('contract_conflict')
    expect(await codeOf(here.register(ci, offer('r/none', 1, 'late: 9h')))).toBe('contract_conflict')
    expect((await here.contracts.contractAt('r/old')).own?.parsed.late).toBe('2h')
  })

  it('takes a contract only from a branch that the standing one tracks', async () => {
    const topic = { ref: 'refs/heads/topic' }
    const mine = 'version: 1\nrefs: [refs/heads/topic]\n'
    expect(await codeOf(here.register(ci, offer('r/refs', 0, '', topic)))).toBe('ref_not_tracked')
    await here.register(ci, offer('r/refs', 0, 'late: 1h'))
    expect(await codeOf(here.register(ci, offer('r/refs', 1, '', { ...topic, text: mine })))).toBe('ref_not_tracked')
    expect(await codeOf(here.register(ci, offer('r/refs', 1, '', { ref: undefined })))).toBe('request_invalid')
    expect(await codeOf(here.register(ci, offer('r/refs', 1, '', { commit: undefined })))).toBe('request_invalid')
    const anywhere = offer('r/refs', 1, '', { text: mine, ref: undefined, commit: undefined })
    expect(await here.register(operator, anywhere)).toMatchObject({ created: true })
  })

  it('demands the right to the repository, and for the default of the org an unbound operator', async () => {
    expect(await codeOf(here.register(aPrincipal(['push'], ['other']), offer('r/x', 0, '')))).toBe('forbidden')
    expect(await codeOf(here.register(aPrincipal(['feed', 'audit']), offer('r/x', 0, '')))).toBe('forbidden')
    expect(await codeOf(here.register(ci, offer('*', 0, '')))).toBe('forbidden')
    expect(await codeOf(here.register(aPrincipal(['operate'], ['*']), offer('*', 0, '')))).toBe('forbidden')
    expect(await codeOf(here.register(ci, offer('r/x', 0, 'repository: r/y')))).toBe('contract_invalid')
    expect(await codeOf(here.register(ci, { ...offer('r/x', 0, ''), text: 'version: 1' }))).toBe('contract_invalid')
  })

  it('inherits from the default of the org, which holds by itself where there is nothing else', async () => {
    await here.register(operator, {
      repository: '*',
      parent: 0,
      text: 'version: 1\nlate: 5d\nrefs: [refs/heads/trunk]\n',
    })
    const own = { ...offer('r/heir', 0, ''), text: 'version: 1\nmode: observe\n', ref: 'refs/heads/trunk' }
    await here.register(ci, own)
    const { effective, org } = await there.contracts.contractAt('r/heir')
    expect(effective).toMatchObject({ mode: 'observe', late: '5d', refs: ['refs/heads/trunk'] })
    expect(await there.contracts.contractAt('r/unknown')).toEqual({ own: undefined, org, effective: org?.parsed })
  })

  it('keeps a text that its record has no room for as an artifact, and reads it back', async () => {
    const suites = Array.from({ length: 100 }, (_, i) => `  - { name: suite-${i}, test_type: unit, owner: team-${i} }`)
    const long = offer('r/long', 0, `suites:\n${suites.join('\n')}`)
    const { registered } = await here.register(ci, long)
    expect(here.kept.size).toBe(1)
    there.kept.set([...here.kept.keys()][0] ?? '', [...here.kept.values()][0] ?? new Uint8Array())
    expect((await there.contracts.contractAt('r/long')).own).toEqual(registered)
    expect(registered.text).toBe(long.text)
    const [record] = (await records('contract')).filter((one) => one['repository'] === 'r/long')
    expect(record).toMatchObject({ text_sha256: [...here.kept.keys()][0] })
    expect(record?.['text']).toBeUndefined()
  })

  it('finds a contract by its digest in whatever repositories have it, and lists versions newest first', async () => {
    for (const repository of ['r/one@1', 'r/one']) await here.register(ci, offer(repository, 0, 'late: 77h'))
    await here.register(ci, offer('r/one', 1, 'late: 78h'))
    const { contract } = (await here.contracts.find('r/one', 1)) ?? {}
    const found = await there.contracts.withDigest(contract ?? '')
    expect(found.map(({ repository, contract_version }) => [repository, contract_version])).toEqual([
      ['r/one', 1],
      ['r/one@1', 1],
    ])
    const versions = await there.contracts.list('r/one', { limit: 10 })
    expect(versions.map((one) => one.contract_version)).toEqual([2, 1])
    expect((await there.contracts.list('r/one', { before: 2, limit: 10 })).map((one) => one.contract_version)).toEqual([
      1,
    ])
    expect(await there.contracts.find('r/one', 3)).toBeUndefined()
  })
})
