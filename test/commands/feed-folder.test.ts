import { appendFile, mkdtemp, readFile, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFeedFolder } from '../../src/commands/feed-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-into-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const line = (seq: number): string =>
  `{"id":"main.unit-${seq}-0123456789abcdef","seq":${seq},"text":"${'é'.repeat(seq % 5)}"}\n`
const lines = (from: number, to: number): Buffer =>
  Buffer.from(Array.from({ length: to - from }, (_, i) => line(from + i)).join(''))
const files = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).toSorted()
const everything = async (): Promise<string> =>
  (await Promise.all((await files()).map((name) => readFile(join(folder, name), 'utf8')))).join('')
const seqOf = (id: string | undefined): number => (id === undefined ? -1 : Number(id.split('-')[1]))

describe('a ledger as files', () => {
  it('goes on behind the last record that is there, and begins a new file when one is large', async () => {
    for (let at = 0; at < 30;) {
      const into = await openFeedFolder(folder, 'unit', 300)
      expect(seqOf(into.last)).toBe(at - 1)
      await into.append(lines(at, at + 3))
      await into.append(lines(at + 3, at + 5))
      await into.close()
      at += 5
    }
    expect(await everything()).toBe(lines(0, 30).toString())
    expect((await files())[0]).toBe('unit.001.0000000000000000.ndjson')
    expect((await files()).length).toBeGreaterThan(3)
  })

  it('completes a line that broke off, at whatever byte, and cuts nothing off that a collector has seen', async () => {
    const whole = lines(0, 6)
    for (let cut = 1; cut < whole.length; cut++) {
      await rm(folder, { recursive: true, force: true })
      const first = await openFeedFolder(folder, 'unit')
      await first.append(whole)
      await first.close()
      // As killed within the write: no position was written down for it.
      await rm(join(folder, 'unit.position'))
      await truncate(join(folder, (await files())[0] ?? ''), cut)
      const second = await openFeedFolder(folder, 'unit')
      const next = seqOf(second.last) + 1
      await second.append(lines(next, 8))
      await second.close()
      expect([cut, await everything()]).toEqual([cut, lines(0, 8).toString()])
    }
  })

  it('keeps its place when the files were taken away', async () => {
    const first = await openFeedFolder(folder, 'unit')
    await first.append(lines(0, 6))
    await first.close()
    for (const name of await files()) await rm(join(folder, name))
    const second = await openFeedFolder(folder, 'unit')
    expect(seqOf(second.last)).toBe(5)
    await second.append(lines(6, 8))
    await second.close()
    expect(await everything()).toBe(lines(6, 8).toString())
  })

  it('refuses to write where somebody else does, or behind a line of another feed', async () => {
    const mine = await openFeedFolder(folder, 'unit')
    await mine.append(lines(0, 2))
    const other = await openFeedFolder(folder, 'unit')
    await other.append(lines(2, 4))
    await expect(mine.append(lines(2, 4))).rejects.toMatchObject({ code: 'in_use' })
    await appendFile(join(folder, (await files())[0] ?? ''), '{"other')
    const third = await openFeedFolder(folder, 'unit')
    await expect(third.append(lines(4, 5))).rejects.toMatchObject({ code: 'in_use' })
    for (const one of [mine, other, third]) await one.close()
  })
})
