import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Submission } from '../../src/ledger/decide.ts'
import type { Book } from '../../src/ledger/book.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { type UseFiles, openUseFiles } from '../../src/watch/use-files.ts'
import { createUses } from '../../src/watch/uses.ts'

let folder: string
const opened: UseFiles[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-uses-'))
})
afterEach(async () => {
  for (const files of opened.splice(0)) await files.close()
  await rm(folder, { recursive: true })
})

interface State {
  /** Nothing can be recorded. */
  isStopped: boolean
  /** It is recorded, and the answer is lost. */
  losesAnswers: boolean
  /** The disk takes nothing. */
  isFull: boolean
  logged: string[]
}

/** A process: what it records goes into `ledger` under its key, once, as the appender has it. */
async function start(ledger = new Map<string, Record<string, unknown>>(), maxSums?: number, maxSumsOfOne?: number) {
  // oxfmt-ignore
  const state: State = { isStopped: false, losesAnswers: false, isFull: false, logged: [] }
  const submit = async ([submission]: readonly Submission[]): Promise<[]> => {
    if (state.isStopped) throw new Error('recording is stopped')
    const segments = submission?.segments as unknown as { raw: Uint8Array }[]
    const { access, ...fields } = JSON.parse(Buffer.from(segments[0]!.raw).toString()) as Record<string, unknown>
    expect(submission?.key).toBe(`access:${String(access)}`)
    if (!ledger.has(String(access))) ledger.set(String(access), fields)
    if (state.losesAnswers) throw new Error('the answer was lost')
    return []
  }
  const files = await openUseFiles(folder)
  opened.push(files)
  const filling: UseFiles = {
    ...files,
    write: (sums) => (state.isFull ? Promise.reject(new Error('ENOSPC')) : files.write(sums)),
  }
  const log = { ...silentLogger, error: (event: string) => void state.logged.push(event) }
  const uses = createUses({
    operations: { ledger: 'main/operations', appender: { submit } } as unknown as Book,
    files: filling,
    now: () => new Date('2026-11-30T08:00:00Z'),
    log,
    ...(maxSums === undefined ? {} : { maxSums }),
    ...(maxSumsOfOne === undefined ? {} : { maxSumsOfOne }),
  })
  const counts = () => [...ledger.values()].map(({ by, route, repository, count }) => [by, route, repository, count])
  /** Without a word: nothing more is written. */
  const kill = async (): Promise<void> => {
    await opened.pop()?.close()
  }
  return { ledger, state, uses, counts, kill }
}

const use = (id: string, route: string, repository?: string) =>
  ({ who: { id, method: 'token' }, route, params: {}, repository, records: 'summed' }) as const

describe('uses that are summed', () => {
  it('are one record per person, route and repository, with when they were', async () => {
    const { ledger, uses, counts } = await start()
    for (const [id, route, repository] of [
      ['a', 'lines', 'r1'], ['a', 'lines', 'r1'], ['a', 'lines', 'r2'], ['a', 'files', 'r1'], ['b', 'lines', 'r1'], ['a', 'lines', undefined],
    ] as const) await uses.record(use(id, route, repository)) // oxfmt-ignore
    expect(ledger.size).toBe(0)
    await uses.flush()
    await uses.flush()
    expect(counts()).toEqual([
      ['a', 'lines', 'r1', 2], ['a', 'lines', 'r2', 1], ['a', 'files', 'r1', 1], ['b', 'lines', 'r1', 1], ['a', 'lines', undefined, 1],
    ]) // oxfmt-ignore
    const last = [...ledger.values()].at(-1)!
    expect(Object.keys(last)).not.toContain('repository')
    expect(last).toMatchObject({ from: '2026-11-30T08:00:00.000000Z', until: '2026-11-30T08:00:00.000000Z' })
    expect((await readdir(folder)).filter((name) => name.endsWith('.ndjson'))).toEqual([])
  })

  it('wait on disk while recording is stopped, a sum a minute, and are recorded when it goes on', async () => {
    const { state, uses, counts } = await start()
    state.isStopped = true
    for (let minute = 1; minute <= 3; minute++) {
      for (let n = 0; n < minute; n++) await uses.record(use('a', 'lines', 'r1'))
      await uses.flush()
    }
    expect(counts()).toEqual([])
    state.isStopped = false
    await uses.flush()
    expect(counts()).toEqual([1, 2, 3].map((count) => ['a', 'lines', 'r1', count]))
  })

  it('are recorded once where they were recorded before and the process ended before they left the disk', async () => {
    const first = await start()
    first.state.losesAnswers = true
    await first.uses.record(use('a', 'lines', 'r1'))
    await first.uses.flush()
    expect(first.counts()).toEqual([['a', 'lines', 'r1', 1]])
    await first.kill()
    const second = await start(first.ledger)
    await second.uses.flush()
    expect(second.counts()).toEqual([['a', 'lines', 'r1', 1]])
    expect((await readdir(folder)).filter((name) => name.endsWith('.ndjson'))).toEqual([])
  })

  it('are lost with the process from the last time that they were kept on only', async () => {
    const first = await start()
    await first.uses.record(use('a', 'lines', 'r1'))
    await first.uses.keep()
    await first.uses.record(use('a', 'lines', 'r1'))
    await first.uses.keep()
    await first.uses.record(use('a', 'lines', 'r1'))
    await first.kill()
    const second = await start(first.ledger)
    await second.uses.flush()
    expect(second.counts()).toEqual([['a', 'lines', 'r1', 2]])
  })

  it('are counted on in memory while the disk is full, and kept when it is not, each once', async () => {
    const { state, uses, counts } = await start()
    await uses.record(use('a', 'lines', 'r1'))
    await uses.keep()
    state.isFull = true
    await uses.record(use('a', 'lines', 'r1'))
    expect(await uses.keep()).toBe(false)
    await uses.record(use('a', 'lines', 'r1'))
    await uses.flush()
    await uses.flush()
    expect(counts()).toEqual([])
    expect(state.logged).toEqual(['access.unkept'])
    state.isFull = false
    await uses.record(use('a', 'lines', 'r1'))
    expect(await uses.keep()).toBe(true)
    await uses.flush()
    expect(counts()).toEqual([['a', 'lines', 'r1', 4]])
  })

  it('are recorded from memory at the end where the disk does not take them', async () => {
    const { state, uses, counts } = await start()
    await uses.record(use('a', 'lines', 'r1'))
    await uses.keep()
    state.isFull = true
    await uses.record(use('a', 'lines', 'r1'))
    await uses.record(use('b', 'lines', 'r1'))
    await uses.end()
    expect(counts()).toEqual([['a', 'lines', 'r1', 2], ['b', 'lines', 'r1', 1]]) // oxfmt-ignore
    state.isStopped = true
    await uses.record(use('c', 'lines', 'r1'))
    await uses.end()
    expect(state.logged).toContain('access.lost')
  })

  it('beyond so many sums say whose they are and no more, and not even that beyond twice as many', async () => {
    const { uses, counts } = await start(undefined, 2)
    for (const id of ['a', 'b', 'c', 'd', 'a', 'c', 'e', 'f']) await uses.record(use(id, 'lines'))
    await uses.flush()
    expect(counts()).toEqual([
      ['a', 'lines', undefined, 2], ['b', 'lines', undefined, 1], ['c', 'several', undefined, 2], ['d', 'several', undefined, 1], ['several', 'several', undefined, 2],
    ]) // oxfmt-ignore
  })

  it('of somebody who asks about thousands of names hide nobody, themselves least', async () => {
    const { uses, counts } = await start(undefined, 100, 10)
    for (let n = 0; n < 1_000; n++) await uses.record(use('a', 'gaps', `name-${n}`))
    await uses.record(use('a', 'lines', 'r1'))
    await uses.record(use('b', 'lines', 'r1'))
    await uses.flush()
    expect(counts()).toHaveLength(12)
    expect(counts()).toContainEqual(['a', 'several', undefined, 991])
    expect(counts()).toContainEqual(['b', 'lines', 'r1', 1])
    // The next minute begins anew.
    await uses.record(use('a', 'lines', 'r1'))
    await uses.flush()
    expect(counts()).toContainEqual(['a', 'lines', 'r1', 1])
  })
})

describe('openUseFiles', () => {
  it('passes over what a crash tore, in the middle too, and gives the rest', async () => {
    const files = await openUseFiles(folder)
    opened.push(files)
    const sum = { access: '130e0290-bd2c-44b3-bf11-b14dd9bd57fe', by: 'a', method: 'token', route: 'lines', count: 1, from: 'x', until: 'y' } // oxfmt-ignore
    await files.write([sum])
    const [name = ''] = (await readdir(folder)).filter((one) => one.endsWith('.ndjson'))
    await appendFile(join(folder, name), '{"access":"130e0290-bd2c-44b3-bf11-b14dd9bd57fe","by":"a","cou')
    await files.write([{ ...sum, count: 7 }])
    await appendFile(join(folder, name), '\u0000\u0000')
    await files.turn()
    expect(await files.closed()).toEqual([name])
    expect(await files.read(name)).toEqual([{ ...sum, count: 7 }])
    expect(await readFile(join(folder, name), 'utf8')).toMatch(/^\n\{/)
  })

  it('passes over what no record could hold, which would keep back all behind it', async () => {
    const sum = { access: '130e0290-bd2c-44b3-bf11-b14dd9bd57fe', by: 'a', method: 'token', route: 'lines', count: 1, from: 'x', until: 'y' } // oxfmt-ignore
    const forged = { ...sum, access: '230e0290-bd2c-44b3-bf11-b14dd9bd57fe', by: '\u0001'.repeat(1_000) }
    await writeFile(join(folder, '000000000000001-aa.ndjson'), `${JSON.stringify(forged)}\n${JSON.stringify(sum)}\n`)
    const { uses, counts } = await start()
    await uses.flush()
    expect(counts()).toEqual([['a', 'lines', undefined, 1]])
  })

  it('gives what an earlier process left, oldest first, and keeps the folder to one process', async () => {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, '000000000000002-aa.ndjson'), '')
    await writeFile(join(folder, '000000000000001-bb.ndjson'), '')
    const files = await openUseFiles(folder)
    opened.push(files)
    expect(await files.closed()).toEqual(['000000000000001-bb.ndjson', '000000000000002-aa.ndjson'])
    await expect(openUseFiles(folder)).rejects.toMatchObject({ code: 'in_use' })
  })
})
