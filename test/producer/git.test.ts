import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, describe } from 'vitest'
import { findCheckout, readTree } from '../../src/producer/git.ts'
import { commit, git, makeCheckout, makeFolder, write } from '../commands/run-program.ts'

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const made: string[] = []
const keep = (folder: string): string => {
  made.push(join(folder, '..'))
  return folder
}
afterEach(() => made.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })))

describe('findCheckout', () => {
  it('tells commit, ref, repository without credentials, parents and time', async () => {
    const folder = keep(makeCheckout())
    const first = git(folder, 'rev-parse', 'HEAD')
    const second = commit(folder, 'second')
    expect(await findCheckout(join(folder, 'src'))).toEqual({
      folder,
      prefix: 'src/',
      commit: second,
      ref: 'refs/heads/main',
      repository: 'github.com/acme/payments',
      parents: [first],
      committedAt: '2026-11-23T05:00:00.000Z',
      firstParents: [first],
      modified: false,
    })
  })

  it('tells both parents of a merge, and follows the first only', async () => {
    const folder = keep(makeCheckout(''))
    const base = git(folder, 'rev-parse', 'HEAD')
    git(folder, 'checkout', '-q', '-b', 'topic')
    const topic = commit(folder, 'topic')
    git(folder, 'checkout', '-q', 'main')
    git(folder, 'merge', '-q', '--no-ff', '-m', 'merge', 'topic')
    expect(await findCheckout(folder)).toMatchObject({
      repository: 'local/payments',
      parents: [base, topic],
      firstParents: [base],
    })
  })

  it('knows the parents in a shallow clone with a detached head, also of the last commit that is in it', async () => {
    const folder = keep(makeCheckout())
    const first = git(folder, 'rev-parse', 'HEAD')
    const second = commit(folder, 'second')
    git(join(folder, '..'), 'clone', '-q', '--depth', '1', `file://${folder}`, 'shallow')
    const shallow = join(folder, '../shallow')
    git(shallow, 'checkout', '-q', '--detach')
    expect(await findCheckout(shallow)).toMatchObject({
      commit: second,
      parents: [first],
      firstParents: [first],
      ref: undefined,
    })
  })

  it('says whether tracked files differ from the commit', async () => {
    const folder = keep(makeCheckout())
    write(folder, 'src/a.js', 'changed\n')
    expect(await findCheckout(folder)).toMatchObject({ modified: true })
  })

  it('is undefined outside a checkout', async () => {
    expect(await findCheckout(keep(makeFolder()))).toBeUndefined()
  })

  it('refuses a repository without commits', async () => {
    const folder = keep(makeFolder())
    git(folder, 'init', '-q')
    await expect(findCheckout(folder)).rejects.toThrow(/has no commit yet/)
  })
})

describe('readTree', () => {
  it('gives every file as git names it, without submodules, links and names that are no UTF-8', async () => {
    const folder = keep(makeCheckout())
    write(folder, 'src/ä "b"\n.js', 'x')
    git(folder, 'add', '-A')
    const blob = git(folder, 'rev-parse', 'HEAD:src/a.js')
    git(folder, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},vendor/module`)
    git(folder, 'update-index', '--add', '--cacheinfo', `120000,${blob},link.js`)
    git(folder, 'commit', '-q', '-m', 'more')
    const files = await all(readTree(folder, 'HEAD'))
    expect(files.map(({ path }) => path)).toEqual(['coverage/lcov.info', 'src/a.js', 'src/ä "b"\n.js'])
    expect(files[1]!.blob).toBe(blob)
  })

  it('survives names longer than a chunk and ends when its reader stops', async () => {
    const folder = keep(makeCheckout())
    for (let i = 0; i < 3000; i++) write(folder, `many/${'x'.repeat(60)}${i}.js`, '')
    commit(folder, 'many')
    expect(await all(readTree(folder, 'HEAD'))).toHaveLength(3002)
    for await (const { path } of readTree(folder, 'HEAD')) {
      expect(path).toBe('coverage/lcov.info')
      break
    }
  })

  it('throws for a commit that is not there', async () => {
    await expect(all(readTree(keep(makeCheckout()), 'a'.repeat(40)))).rejects.toThrow(/git cannot read/)
  })
})
