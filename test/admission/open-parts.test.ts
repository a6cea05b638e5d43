import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OpenPart, createOpenParts } from '../../src/admission/open-parts.ts'

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'proofline-notes-')), 'open-parts')
})
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }))

const part: OpenPart = {
  ledger: 'main/unit',
  run: 'local.a.api.unit',
  part: 'a',
  sha256: 'a'.repeat(64),
  parameters: { format: 'lcov' },
}

describe('notes on open parts', () => {
  it('are found by the next process, not by the one that is at them', async () => {
    const mine = createOpenParts(folder)
    expect(await mine.left()).toEqual([])
    const note = await mine.note(part)
    expect(await mine.left()).toEqual([])
    const left = await createOpenParts(folder).left()
    expect(left.map((one) => one.part)).toEqual([part])
    note.leave()
    expect((await mine.left()).map((one) => one.part)).toEqual([part])
    await left[0]?.close()
    expect(await readdir(folder)).toEqual([])
  })

  it('are one for the same content twice, in use until both have left it; other content has its own', async () => {
    const notes = createOpenParts(folder)
    const [a, b] = [await notes.note(part), await notes.note(part)]
    const other = await notes.note({ ...part, sha256: 'b'.repeat(64) })
    expect(await readdir(folder)).toHaveLength(2)
    a.leave()
    expect(await notes.left()).toEqual([])
    b.leave()
    expect(await notes.left()).toHaveLength(1)
    await other.close()
    other.leave()
    expect((await notes.left()).map((one) => one.part)).toEqual([part])
  })

  it('are taken from many who send the same part at the same moment', async () => {
    const notes = createOpenParts(folder)
    await notes.note({ ...part, part: 'b' }) // the folder is there
    await Promise.all(Array.from({ length: 50 }, () => notes.note(part)))
    expect((await readdir(folder)).every((name) => name.endsWith('.json'))).toBe(true)
    expect(await readdir(folder)).toHaveLength(2)
  })

  it('are passed over when they are damaged', async () => {
    const notes = createOpenParts(folder)
    const note = await notes.note(part)
    note.leave()
    await writeFile(join(folder, 'half.json'), '{"ledger":"main/un')
    await writeFile(join(folder, 'wrong.json'), JSON.stringify({ ...part, ledger: 'elsewhere' }))
    expect(await notes.left()).toHaveLength(1)
  })
})
