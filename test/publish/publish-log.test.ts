import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPublished } from '../../src/commands/log-sources.ts'
import { verifyLedger } from '../../src/commands/verify-log.ts'
import type { Check } from '../../src/commands/verify.ts'
import { type ShelfEffects, createFolderShelf, realShelfEffects } from '../../src/publish/folder-shelf.ts'
import { type Published, publishLog } from '../../src/publish/publish-log.ts'
import type { Shelf } from '../../src/publish/shelf.ts'
import { type MemoryLog, createMemoryLog, ledger, origin } from './memory-log.ts'

const { signal } = new AbortController()
const log = await createMemoryLog(600)
let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'publish-'))))
afterEach(async () => rm(folder, { recursive: true }))

async function publish(shelf: Shelf, size: number, from: MemoryLog = log): Promise<Published> {
  const newest = async (): Promise<string> => from.note(size)
  return publishLog({ shelf, ledger, origin, keys: [log.key], tree: from.tree, newest, signal })
}

/** As a reader who holds nothing but the key. */
async function verify(remembered?: string): Promise<Check> {
  const reading = { remembered: () => remembered, onProgress: () => {} }
  return (await verifyLedger(openPublished(folder, signal), ledger, [log.key], reading)).check
}

/** Every published file with its bytes. */
async function files(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !path.includes('.proofline')) found.set(path.slice(folder.length + 1), (await readFile(path)).toString('base64')) // oxfmt-ignore
  }
  return found
}

describe('publishLog', () => {
  it('case 47: makes a copy of any size that a reader verifies, and goes on from the published checkpoint alone', async () => {
    for (const size of [0, 1, 255, 256, 257, 511, 512, 600]) {
      const shelf = await createFolderShelf(folder) // opened anew each time: nothing is remembered
      expect(await publish(shelf, size)).toEqual({ kind: 'published', size, isNew: true })
      expect(await publish(shelf, size)).toEqual({ kind: 'published', size, isNew: false })
      expect(await verify()).toMatchObject({ verdict: 'ok', size })
    }
  })

  it('case 21: lets go of partial tiles once the full one is there', async () => {
    const shelf = await createFolderShelf(folder)
    await publish(shelf, 200)
    expect([...(await files()).keys()].filter((path) => path.includes('.p/'))).toHaveLength(2)
    const old = await readFile(join(folder, ledger, 'checkpoint'), 'utf8')
    await publish(shelf, 256)
    expect([...(await files()).keys()].toSorted()).toEqual([
      'main/unit/checkpoint',
      'main/unit/tile/0/000',
      'main/unit/tile/1/000.p/1',
      'main/unit/tile/entries/000',
    ])
    // Whoever holds the older checkpoint still reads what it covers.
    await writeFile(join(folder, ledger, 'checkpoint'), old)
    expect(await verify()).toMatchObject({ verdict: 'ok', size: 200 })
  })

  it('never goes backwards, and says so', async () => {
    const shelf = await createFolderShelf(folder)
    await publish(shelf, 300)
    const before = await files()
    expect(await publish(shelf, 299)).toEqual({ kind: 'ahead', size: 300, note: await log.note(300) })
    expect(await files()).toEqual(before)
  })

  it('case 8, 9, 13: refuses to go on from a copy of another history or log, and changes nothing', async () => {
    const shelf = await createFolderShelf(folder)
    await publish(shelf, 300)
    const before = await files()
    const fork = await createMemoryLog(600, 'b', 250)
    await expect(publish(shelf, 400, fork)).rejects.toMatchObject({ code: 'integrity', message: expect.stringContaining('size 300') as string }) // oxfmt-ignore
    await expect(publish(shelf, 300, fork)).rejects.toMatchObject({ code: 'integrity' })
    const keys = [log.key]
    const other = { shelf, ledger, origin: 'localhost/main/integration', keys, tree: log.tree, newest: async () => log.note(400), signal } // oxfmt-ignore
    await expect(publishLog(other)).rejects.toMatchObject({ code: 'integrity', message: expect.stringContaining('origin mismatch') as string }) // oxfmt-ignore
    expect(await files()).toEqual(before)
  })

  it('never writes over a file that holds other bytes: it stops and names them', async () => {
    const shelf = await createFolderShelf(folder)
    await publish(shelf, 200)
    await mkdir(join(folder, ledger, 'tile/entries'), { recursive: true })
    await writeFile(join(folder, ledger, 'tile/entries/000'), 'forged')
    await expect(publish(shelf, 256)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringMatching(/main\/unit\/tile\/entries\/000 holds other bytes than the log/) as string,
    })
    expect(await readFile(join(folder, ledger, 'tile/entries/000'), 'utf8')).toBe('forged')
    expect(await readFile(join(folder, ledger, 'checkpoint'), 'utf8')).toBe(await log.note(200))
  })

  it('puts nothing out that does not lead to the signed root', async () => {
    const shelf = await createFolderShelf(folder)
    const lying: MemoryLog = { ...log, tree: { ...log.tree, entries: async (index, width) => log.tree.entries(index, width).then((bytes) => { bytes?.set([0x7c], 100); return bytes }) } } // oxfmt-ignore
    await expect(publish(shelf, 256, lying)).rejects.toMatchObject({ message: expect.stringContaining('record 0 does not hash to its leaf') as string }) // oxfmt-ignore
    const fork = await createMemoryLog(600, 'b', 100)
    await expect(publish(shelf, 600, { ...fork, note: log.note })).rejects.toMatchObject({ message: expect.stringMatching(/signed root at size 600, .* expected \w{64}, found/) as string }) // oxfmt-ignore
    const mixed: MemoryLog = { ...log, tree: { ...log.tree, tile: (level, index, width) => (level === 0 && index === 0 ? fork : log).tree.tile(level, index, width) } } // oxfmt-ignore
    await expect(publish(shelf, 600, mixed)).rejects.toMatchObject({ message: expect.stringContaining('tile/0/000 does not lead to the tile above') as string }) // oxfmt-ignore
    expect((await files()).get('main/unit/checkpoint')).toBeUndefined()
  })

  it('keeps a second process out while one is at it', async () => {
    const [first, second] = [await createFolderShelf(folder), await createFolderShelf(folder)]
    const claim = await first.claim(ledger)
    await expect(second.claim(ledger)).rejects.toMatchObject({ code: 'in_use' })
    claim.release()
    ;(await second.claim(ledger)).release()
    await publish(first, 10)
    const path = `${ledger}/checkpoint`
    await expect(second.replace(path, Buffer.from('x'), undefined)).rejects.toMatchObject({ code: 'in_use' })
  })
})

/** Effect number `at` fails, before it did anything or after; one half of them as a broken disk does, one as a full one. */
function failing(at: number, isStored: boolean): { effects: ShelfEffects; code: string; seen: () => number } {
  let n = 0
  const code = at % 2 === 0 ? 'EIO' : 'ENOSPC'
  const error = (): Error => Object.assign(new Error(`injected ${code}`), { code })
  const wrap =
    <A extends unknown[]>(effect: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      const mine = n++
      if (mine === at && !isStored) throw error()
      await effect(...args)
      if (mine === at) throw error()
    }
  const { write, sync, link, rename, syncFolder, remove } = realShelfEffects
  const effects = {
    // Half of the bytes, where it fails without having stored all.
    write: async (path: string, bytes: Uint8Array): Promise<void> => {
      if (n === at && !isStored) await write(path, bytes.subarray(0, bytes.length >> 1))
      await wrap(write)(path, bytes)
    },
    sync: wrap(sync), link: wrap(link), rename: wrap(rename), syncFolder: wrap(syncFolder), remove: wrap(remove),
  } // oxfmt-ignore
  return { effects, code, seen: () => n }
}

describe('a round that fails at any effect', () => {
  it.each([false, true])(
    'case 19, 25, 27: EIO or ENOSPC, stored %s: readers see whole files and the old checkpoint, and the next round ends with the same bytes',
    async (isStored) => {
      const sizes = [3, 256, 300]
      const whole = join(folder, 'whole')
      for (const size of sizes) await publish(await createFolderShelf(whole), size)
      const root = folder
      folder = whole
      const wanted = await files()
      for (let at = 0; ; at++) {
        folder = join(root, `${at}`)
        const { effects, code, seen } = failing(at, isStored)
        const shelf = await createFolderShelf(folder, effects)
        let failures = 0
        for (const size of sizes) {
          const remembered = await readFile(join(folder, ledger, 'checkpoint'), 'utf8').catch(() => undefined)
          await publish(shelf, size).catch(async (error: unknown) => {
            expect(error).toMatchObject({ code })
            failures++
            // Before the first checkpoint there is nothing to verify.
            const isThere = existsSync(join(folder, ledger, 'checkpoint'))
            expect(await verify(remembered)).toMatchObject({ verdict: isThere ? 'ok' : 'incomplete' })
            await publish(await createFolderShelf(folder), size)
            expect(await verify(remembered)).toMatchObject({ verdict: 'ok', size })
          })
        }
        expect(await verify()).toMatchObject({ verdict: 'ok', size: sizes.at(-1) })
        // What could not be removed is left over, and nothing else.
        const found = await files()
        for (const [path, bytes] of wanted) expect(found.get(path), path).toBe(bytes)
        expect([...found.keys()].filter((path) => !wanted.has(path) && !path.includes('.p/'))).toEqual([])
        await rm(folder, { recursive: true })
        if (at >= seen()) break
        expect(failures).toBe(1)
      }
      folder = root
    },
    60_000,
  )
})
