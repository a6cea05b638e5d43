import { chmod, chown, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { assertPrivate } from '../../src/signing/private-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'private-'))
  await mkdir(join(folder, 'state', 'keys'), { recursive: true, mode: 0o700 })
})
afterEach(async () => {
  await chmod(join(folder, 'state'), 0o700)
  await rm(folder, { recursive: true })
})

const state = (): string => join(folder, 'state')
const check = (path: string) => assertPrivate(path, 'the data folder')

it('a folder that is ours alone, below one where others may only add, is taken; so is one that is yet to be made', async () => {
  await check(state())
  await check(join(state(), 'keys'))
  await check(join(state(), 'none', 'yet'))
  await chmod(state(), 0o755)
  await check(state())
})

it.each([0o770, 0o777, 0o720, 0o702, 0o1777])(
  'one with mode %o is refused: others may put something there',
  async (mode) => {
    await chmod(state(), mode)
    await expect(check(state())).rejects.toMatchObject({ code: 'request_invalid', message: expect.stringContaining('chmod go-w it') }) // oxfmt-ignore
  },
)

it('so is one below a folder that others may write: they can put another one in its place', async () => {
  await chmod(state(), 0o777)
  await expect(check(join(state(), 'keys'))).rejects.toThrow(`${state()} has mode 777`)
  await expect(check(join(state(), 'none'))).rejects.toThrow('has mode 777')
})

it('a link is judged by what it leads to', async () => {
  await symlink(state(), join(folder, 'link'))
  await check(join(folder, 'link'))
  await chmod(state(), 0o775)
  await expect(check(join(folder, 'link'))).rejects.toThrow('has mode 775')
})

it('one that belongs to somebody else, who is not root, is refused', async () => {
  const own = process.getuid?.() ?? 0
  // Only root can give a folder away; who is not root takes it for somebody else's by asking as another user.
  if (own === 0) await chown(state(), 12_345, 12_345)
  await expect(assertPrivate(state(), 'the data folder', own === 0 ? 0 : own + 1)).rejects.toThrow('belongs to user')
})
