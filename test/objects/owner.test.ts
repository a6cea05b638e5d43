import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createFolderObjects } from '../../src/objects/folder.ts'
import { proveObjects } from '../../src/objects/open-objects.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'owner-'))
})
afterAll(() => rm(folder, { recursive: true }))

it('a storage is of the org that came first, start after start, and refused to any other', async () => {
  const objects = await createFolderObjects(folder)
  expect(await proveObjects(objects, 'main')).toBeUndefined()
  expect(await proveObjects(await createFolderObjects(folder), 'main')).toBeUndefined()
  for (const rival of ['rival', 'main0', 'mai']) {
    const message = expect.stringContaining(`belongs to the org "main": give ${rival}`)
    await expect(proveObjects(objects, rival)).rejects.toMatchObject({ code: 'request_invalid', message })
  }
})
