import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFolderObjects } from '../../src/objects/folder.ts'
import { objectsContract } from './objects-contract.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-objects-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('createFolderObjects', () => {
  objectsContract(() => createFolderObjects(folder))

  it('leaves no temporary file behind, whatever happened', async () => {
    const objects = await createFolderObjects(folder)
    await objects.put('a', [new Uint8Array(5)])
    await objects.put('a', [new Uint8Array(5)])
    const writer = await objects.create()
    await writer.abort()
    expect(await readdir(join(folder, 'tmp'))).toEqual([])
  })

  it('makes its files read-only', async () => {
    const objects = await createFolderObjects(folder)
    await objects.put('a', [new Uint8Array(5)])
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o400)
  })

  it('removes what a crash left a day ago, and not what another process is writing now', async () => {
    await createFolderObjects(folder)
    await writeFile(join(folder, 'tmp', 'old'), '')
    await writeFile(join(folder, 'tmp', 'new'), '')
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000)
    await utimes(join(folder, 'tmp', 'old'), twoDaysAgo, twoDaysAgo)
    await createFolderObjects(folder)
    expect(await readdir(join(folder, 'tmp'))).toEqual(['new'])
  })
})
