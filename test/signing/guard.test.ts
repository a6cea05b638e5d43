import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyRoot, hashLeaf } from '../../src/log/merkle.ts'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { realFileEffects } from '../../src/signing/durable-file.ts'
import type { FileEffects } from '../../src/signing/durable-file.ts'
import { createGuard, mayAdvance } from '../../src/signing/guard.ts'
import type { Guard, Head } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { createSigner } from '../../src/signing/signer.ts'
import { createTree } from './tree.ts'

const ledger: LedgerName = 'main/unit'
const tree = createTree()
const headAt = (size: number): Head => ({ size, root: tree.rootAt(size) })
let folder: string
let guards: Guard[]
const open = async (effects?: FileEffects): Promise<Guard> => {
  const guard = await createGuard(folder, effects)
  guards.push(guard)
  return guard
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-'))
  guards = []
})
afterEach(async () => {
  for (const guard of guards) guard.close()
  await rm(folder, { recursive: true })
})

describe('mayAdvance', () => {
  it('lets every longer tree follow that proves to contain the last one', async () => {
    for (let last = 0; last <= 20; last++) {
      for (let next = last + 1; next <= 20; next++) {
        const { proof } = await tree.requestAt(next, last)
        expect(mayAdvance(headAt(last), headAt(next), proof)).toEqual({ kind: 'advance' })
      }
    }
  })

  it('repeats the same head whatever the proof', () => {
    expect(mayAdvance(headAt(9), headAt(9), { from: 3, hashes: [] })).toEqual({ kind: 'repeat' })
    expect(mayAdvance(headAt(0), headAt(0), { from: 0, hashes: [] })).toEqual({ kind: 'repeat' })
  })

  it('begins a new ledger with any head', () => {
    expect(mayAdvance(undefined, headAt(0), { from: 0, hashes: [] })).toEqual({ kind: 'advance' })
    expect(mayAdvance(undefined, headAt(7), { from: 0, hashes: [] })).toEqual({ kind: 'advance' })
    expect(mayAdvance(undefined, headAt(7), { from: 5, hashes: [] })).toEqual({ kind: 'stale', last: headAt(0) })
  })

  it('case 8, 48: refuses what is smaller, an empty log above all', () => {
    expect(mayAdvance(headAt(9), headAt(8), { from: 8, hashes: [] })).toEqual({ kind: 'refused', reason: 'rollback' })
    expect(mayAdvance(headAt(9), headAt(0), { from: 0, hashes: [] })).toEqual({ kind: 'refused', reason: 'rollback' })
  })

  it('refuses another root of the same size', () => {
    expect(mayAdvance(headAt(9), { size: 9, root: tree.rootAt(8) }, { from: 9, hashes: [] })).toEqual({
      kind: 'refused',
      reason: 'fork',
    })
  })

  it('case 9: refuses a longer tree with another history, even with a proof that is good within it', async () => {
    const fork = await createTree('other', 5).requestAt(12, 9)
    expect(mayAdvance(headAt(9), fork, fork.proof)).toEqual({ kind: 'refused', reason: 'inconsistent' })
    const good = await createTree('other', 9).requestAt(12, 9)
    expect(mayAdvance(headAt(9), good, good.proof)).toEqual({ kind: 'advance' })
    expect(mayAdvance(headAt(9), good, { from: 9, hashes: good.proof.hashes.slice(1) })).toEqual({
      kind: 'refused',
      reason: 'inconsistent',
    })
    expect(mayAdvance(headAt(0), good, { from: 0, hashes: good.proof.hashes })).toEqual({
      kind: 'refused',
      reason: 'inconsistent',
    })
  })

  it('asks for a proof from where it stands', async () => {
    const { proof, ...next } = await tree.requestAt(12, 8)
    expect(mayAdvance(headAt(9), next, proof)).toEqual({ kind: 'stale', last: headAt(9) })
  })

  it('refuses sizes and roots that no tree has', () => {
    const root = hashLeaf(new Uint8Array(0))
    for (const next of [
      { size: -1, root },
      { size: 0.5, root },
      { size: 2 ** 53, root },
      { size: Number.NaN, root },
      { size: 0, root },
      { size: 1, root: root.subarray(1) },
    ]) {
      for (const last of [undefined, headAt(0), headAt(3)]) {
        expect(mayAdvance(last, next, { from: 0, hashes: [] })).toEqual({ kind: 'refused', reason: 'malformed' })
      }
    }
    expect(mayAdvance(undefined, { size: 0, root: emptyRoot }, { from: 0, hashes: [] })).toEqual({ kind: 'advance' })
  })
})

describe('a guard', () => {
  it('remembers the last head of each ledger, and who it is', async () => {
    const first = await open()
    expect(first.last(ledger)).toBeUndefined()
    await Promise.all([
      first.store(ledger, headAt(3)),
      first.store('main/changes', headAt(8)),
      first.store('other/unit', headAt(0)),
    ])
    await first.store(ledger, headAt(5))
    first.close()
    const second = await open()
    expect(second.id).toBe(first.id)
    expect(second.id).toMatch(/^[0-9a-f]{32}$/)
    expect([second.last(ledger), second.last('main/changes'), second.last('other/unit')]).toEqual([
      headAt(5),
      headAt(8),
      headAt(0),
    ])
    expect(second.last('main/integration')).toBeUndefined()
    for (const name of await readdir(folder))
      if (!name.startsWith('lock.db')) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  it('belongs to one holder at a time', async () => {
    const first = await open()
    await expect(open()).rejects.toThrow(`${folder} is in use by another process`)
    first.close()
    await open()
  })

  it('that lost or broke its memory does not open', async () => {
    const path = join(folder, 'main.unit.head')
    const guard = await open()
    await guard.store(ledger, headAt(3))
    guard.close()
    const text = await readFile(path, 'utf8')
    for (const wrong of [
      '',
      '{}',
      text.slice(0, -20),
      text.replace('"size":3', '"size":-3'),
      text.replace('main/unit', 'main/integration'),
      text.replace('}', ',"more":1}'),
    ]) {
      await writeFile(path, wrong)
      await expect(open()).rejects.toThrow('damaged')
    }
    await rm(path)
    await expect(open()).rejects.toThrow('lost the last signed head of main/unit')
    await writeFile(path, text)
    const identity = await readFile(join(folder, 'guard.json'), 'utf8')
    await rm(join(folder, 'guard.json'))
    await expect(open()).rejects.toThrow('guard.json is gone')
    await writeFile(join(folder, 'guard.json'), identity.replace('"id":"', '"id":"x'))
    await expect(open()).rejects.toThrow('damaged')
    await writeFile(join(folder, 'guard.json'), identity)
    expect((await open()).last(ledger)).toEqual(headAt(3))
  })
})

/** Lets the nth call of an effect fail, before or after it was done. */
function failing(effect: keyof FileEffects, call: number, flavour: 'not done' | 'done'): FileEffects {
  let calls = 0
  const wrap =
    <A extends unknown[]>(name: keyof FileEffects, run: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      const isIt = name === effect && ++calls === call
      if (!isIt || flavour === 'done') await run(...args)
      if (isIt) throw new Error(`EIO at ${effect}`)
    }
  const { write, sync, rename, syncFolder } = realFileEffects
  return {
    write: wrap('write', write),
    sync: wrap('sync', sync),
    rename: wrap('rename', rename),
    syncFolder: wrap('syncFolder', syncFolder),
  }
}

describe('a signer whose guard fails at', () => {
  const effects = ['write', 'sync', 'rename', 'syncFolder'] as const
  // Calls: the guard's identity, the ledger's first head, the identity with its name, the second head.
  const cases = effects.flatMap((effect) =>
    [2, 3, 4].flatMap((call) => (['not done', 'done'] as const).map((flavour) => ({ effect, call, flavour }))),
  )

  it.each(cases)(
    'case 27: $effect number $call ($flavour) signs nothing, and after a restart nothing that contradicts',
    async ({ effect, call, flavour }) => {
      const keysFolder = join(folder, 'keys')
      const start = async (files?: FileEffects) => {
        const guard = await open(files)
        return {
          guard,
          signer: createSigner({
            keys: createKeys({
              folder: keysFolder,
              originOf: (name) => `localhost/${name}`,
              statementName: 'localhost/main/statement',
            }),
            guard,
            origin: (name) => `localhost/${name}`,
          }),
        }
      }
      const { guard, signer } = await start(failing(effect, call, flavour))
      const signed: { size: number; note: string }[] = []
      let failures = 0
      for (const [size, from] of [
        [4, 0],
        [9, 4],
      ] as const) {
        try {
          const answer = await signer.sign(ledger, await tree.requestAt(size, from))
          if (answer.kind === 'signed') signed.push({ size, note: answer.note })
        } catch {
          failures++
        }
      }
      expect(failures).toBeGreaterThan(0)
      guard.close()

      const again = await start()
      const last = await again.signer.last(ledger)
      expect(last?.size ?? 0).toBeGreaterThanOrEqual(signed.at(-1)?.size ?? 0)
      const from = last?.size ?? 0
      // What was signed is never contradicted: no other history of that length or longer, nothing shorter.
      if (from > 0) {
        const fork = await createTree('fork', from - 1).requestAt(from + 3, from)
        expect(await again.signer.sign(ledger, fork)).toMatchObject({ kind: 'refused', reason: 'inconsistent' })
        expect(await again.signer.sign(ledger, await tree.requestAt(from - 1, 0))).toMatchObject({
          kind: 'refused',
          reason: 'rollback',
        })
      }
      // And the log goes on: the same heads give the same bytes, longer ones are signed.
      for (const { size, note } of signed)
        if (size === from)
          expect(await again.signer.sign(ledger, await tree.requestAt(size, from))).toEqual({ kind: 'signed', note })
      const next = await again.signer.sign(ledger, await tree.requestAt(12, from))
      if (next.kind !== 'signed') expect.fail(next.kind)
      const vkey = parseVkey(await again.signer.vkey(ledger))
      expect(await openCheckpoint(next.note, 'localhost/main/unit', [vkey])).toMatchObject({ size: 12 })
    },
  )

  it('an effect before the rename goes on without a restart; one after it does not', async () => {
    for (const effect of effects) {
      await rm(folder, { recursive: true })
      const guard = await createGuard(folder, failing(effect, 4, 'done'))
      await guard.store(ledger, headAt(4))
      await expect(guard.store(ledger, headAt(9))).rejects.toThrow(effect)
      expect(guard.last(ledger)).toEqual(headAt(4))
      const retry = guard.store(ledger, headAt(9))
      if (effect === 'write' || effect === 'sync') await retry
      else await expect(retry).rejects.toThrow('in doubt')
      guard.close()
    }
  })
})
