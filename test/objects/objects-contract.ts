import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import type { Objects } from '../../src/objects/objects.ts'

const bytes = (text: string): Uint8Array[] => [new TextEncoder().encode(text)]

/** What every kind of object storage must do. */
export function objectsContract(start: () => Promise<Objects>): void {
  const read = async (objects: Objects, key: string): Promise<string | undefined> => {
    const stream = await objects.open(key)
    return stream === undefined ? undefined : (await buffer(stream)).toString()
  }

  it('gives back what was put, and nothing for a key that nobody put', async () => {
    const objects = await start()
    expect(await objects.has('a/b/one')).toBe(false)
    expect(await objects.open('a/b/one')).toBeUndefined()
    expect(await objects.put('a/b/one', bytes('first'))).toBe('stored')
    expect(await objects.has('a/b/one')).toBe(true)
    expect(await read(objects, 'a/b/one')).toBe('first')
  })

  it('keeps the first bytes of a key for ever', async () => {
    const objects = await start()
    await objects.put('key', bytes('first'))
    expect(await objects.put('key', bytes('second'))).toBe('existed')
    expect(await read(objects, 'key')).toBe('first')
  })

  it('gives a part of the bytes by range', async () => {
    const objects = await start()
    await objects.put('key', bytes('0123456789'))
    const stream = await objects.open('key', { from: 3, to: 7 })
    expect(stream === undefined ? undefined : (await buffer(stream)).toString()).toBe('3456')
    expect(await objects.open('other', { from: 0, to: 1 })).toBeUndefined()
  })

  it('removes what is to go, once, and tells when nothing was there', async () => {
    const objects = await start()
    await objects.put('a/key', bytes('first'))
    await objects.put('a/other', bytes('stays'))
    expect(await objects.remove('a/key')).toBe('removed')
    expect(await objects.has('a/key')).toBe(false)
    expect(await objects.remove('a/key')).toBe('absent')
    expect(await read(objects, 'a/other')).toBe('stays')
  })

  it('stores once when the same key is put ten times at once', async () => {
    const objects = await start()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => objects.put('same/key', bytes(`writer ${i}`))),
    )
    expect(answers.toSorted()).toEqual([...Array<string>(9).fill('existed'), 'stored'])
    expect(await read(objects, 'same/key')).toBe(`writer ${answers.indexOf('stored')}`)
  })

  it('stores nothing when the bytes end with an error', async () => {
    const objects = await start()
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* bytes('half')
      throw new Error('the client went away')
    }
    await expect(objects.put('key', broken())).rejects.toThrow('the client went away')
    expect(await objects.has('key')).toBe(false)
  })

  it('shows a created object only after its commit, and never an aborted one', async () => {
    const objects = await start()
    const kept = await objects.create()
    await kept.write(new Uint8Array(100_000).fill(7))
    await kept.write(new Uint8Array(0))
    expect(await objects.has('late')).toBe(false)
    expect(await kept.commit('late')).toBe('stored')
    expect((await read(objects, 'late'))?.length).toBe(100_000)
    const dropped = await objects.create()
    await dropped.write(new Uint8Array(10))
    await dropped.abort()
  })

  it.each(['../escape', 'a/../b', '/absolute', 'tmp/x', '.hidden', 'Upper', ''])(
    'refuses the key "%s"',
    async (key) => {
      const objects = await start()
      await expect(objects.put(key, bytes('x'))).rejects.toThrow('no key')
      await expect(objects.open(key)).rejects.toThrow('no key')
    },
  )
}
