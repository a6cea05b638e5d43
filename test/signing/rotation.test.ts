import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { openStatement } from '../../src/log/statement.ts'
import { type TrustedKey, parseTrustedKey, parseTrustedKeys, printTrustedKey } from '../../src/log/trusted-key.ts'
import { printVkey } from '../../src/log/vkey.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { type FileEffects, realFileEffects } from '../../src/signing/durable-file.ts'
import { type Guard, createGuard } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { connectSigner } from '../../src/signing/remote.ts'
import { serveSigner } from '../../src/signing/serve-signer.ts'
import { type Signer, createSigner } from '../../src/signing/signer.ts'
import { createTree } from './tree.ts'

const ledger: LedgerName = 'main/unit'
const origin = (name: LedgerName): string => `localhost/${name}`
const tree = createTree()
let folder: string
let guard: Guard
let endings: (() => Promise<void>)[]

/** A signer started anew over the same folder, as after a crash. */
async function start(effects?: FileEffects): Promise<Signer> {
  guard?.close()
  guard = await createGuard(join(folder, 'guard'))
  const keys = createKeys({
    folder: join(folder, 'keys'),
    originOf: origin,
    statementName: 'localhost/main/statement',
    ...(effects === undefined ? {} : { effects }),
  })
  return createSigner({ keys, guard, origin })
}

async function overSocket(signer: Signer): Promise<Signer> {
  const abort = new AbortController()
  const server = await serveSigner(signer, join(folder, 's'), abort.signal)
  const client = connectSigner(join(folder, 's'))
  endings.push(async () => {
    client.close()
    abort.abort()
    await server.closed
  })
  return client
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rotation-'))
  endings = []
})
afterEach(async () => {
  for (const end of endings) await end()
  guard.close()
  await rm(folder, { recursive: true })
})

async function noteAt(signer: Signer, size: number, from: number): Promise<string> {
  const answer = await signer.sign(ledger, await tree.requestAt(size, from))
  if (answer.kind !== 'signed') throw new Error(answer.kind)
  return answer.note
}
/** What somebody finds who trusts these lines. */
const trusting = (note: string, lines: readonly string[]): Promise<number> =>
  openCheckpoint(note, origin(ledger), lines.map(parseTrustedKey)).then(({ signatures }) => signatures.length)
const vkeyOf = (line = ''): string => line.split(' ')[0] ?? ''
const files = async (): Promise<string[]> => (await readdir(join(folder, 'keys'))).toSorted()

describe.each(['in the process', 'behind a socket'])('the rotation of a key %s', (where) => {
  const open = async (): Promise<Signer> => (where === 'in the process' ? start() : overSocket(await start()))

  it('case 15: both keys sign from the size signed last on, the old one until it is retired, the new one alone afterwards', async () => {
    const signer = await open()
    const before = await noteAt(signer, 10, 0)
    const [old = ''] = await signer.keys(ledger)
    const rotated = await signer.rotate(ledger, { replaces: old, atOnce: false, at: 0 })
    if (rotated.kind === 'refused') throw new Error(rotated.reason)
    const [first = '', second = ''] = rotated.keys
    expect(first).toBe(old)
    expect(second).toMatch(/ from=10$/)
    expect(await signer.vkey(ledger)).toBe(vkeyOf(second))

    for (const [size, from] of [[10, 10], [12, 10], [30, 12]] as const) {
      const note = await noteAt(signer, size, from)
      expect(await trusting(note, [first])).toBe(1)
      expect(await trusting(note, [second])).toBe(1)
      expect(await trusting(note, [first, second])).toBe(2)
    } // oxfmt-ignore
    expect(await trusting(before, [first])).toBe(1)

    const retired = await signer.retire(ledger, { vkey: vkeyOf(old), at: 0 })
    expect(retired).toEqual({ kind: 'changed', keys: [`${old} until=31`, second] })
    expect(await noteAt(signer, 30, 30)).toContain('\n30\n') // still both: it was signed by both
    expect(await trusting(await noteAt(signer, 30, 30), retired.kind === 'changed' ? retired.keys : [])).toBe(2)
    const after = await noteAt(signer, 31, 30)
    expect(await trusting(after, [`${old} until=31`, second])).toBe(1)
    expect(await trusting(after, [second])).toBe(1)
    await expect(trusting(after, [first])).rejects.toMatchObject({ code: 'no_trusted_signature' })
    // The file that verifiers are given says the same, and the old secret is gone.
    expect(await readFile(join(folder, 'keys', 'main.unit.vkey'), 'utf8')).toBe(`${old} until=31\n${second}\n`)
    expect((await files()).filter((name) => name.endsWith('.key'))).toEqual([expect.stringMatching(/^main\.unit\.[0-9a-f]{8}\.key$/)]) // oxfmt-ignore

    // All of it once more.
    const third = await signer.rotate(ledger, { replaces: vkeyOf(second), atOnce: true, at: 0 })
    expect(third).toMatchObject({ kind: 'changed', keys: [`${old} until=31`, `${second} until=32`, expect.stringMatching(/ from=31$/)] }) // oxfmt-ignore
    expect(await trusting(await noteAt(signer, 40, 31), third.kind === 'refused' ? [] : third.keys)).toBe(1)
  })

  it('is the same when it is asked for again, and refused when it is another one', async () => {
    const signer = await open()
    const [old = ''] = await signer.keys(ledger)
    expect(await signer.rotate(ledger, { replaces: old, atOnce: false, at: 0 })).toMatchObject({ kind: 'refused', reason: 'nothing of main/unit is signed yet' }) // oxfmt-ignore
    await noteAt(signer, 10, 0)
    const both = await Promise.all([1, 2, 3].map(() => signer.rotate(ledger, { replaces: old, atOnce: false, at: 0 })))
    expect(both.map(({ kind }) => kind).toSorted()).toEqual(['changed', 'same', 'same'])
    const lines = await signer.keys(ledger)
    expect(lines).toHaveLength(2)
    const newest = vkeyOf(lines[1])
    expect(await signer.rotate(ledger, { replaces: newest, atOnce: false, at: 0 })).toMatchObject({ kind: 'refused', reason: expect.stringContaining('retire that one first') }) // oxfmt-ignore
    expect(await signer.retire(ledger, { vkey: newest, at: 0 })).toMatchObject({ kind: 'refused', reason: expect.stringContaining('newest') }) // oxfmt-ignore
    expect(await signer.retire(ledger, { vkey: `${old}x`, at: 0 })).toMatchObject({ kind: 'refused' })
    expect(await signer.retire(ledger, { vkey: old, until: 10, at: 0 })).toMatchObject({ kind: 'refused', reason: expect.stringContaining('from 11 on') }) // oxfmt-ignore
    expect(await signer.retire(ledger, { vkey: old, until: 20, at: 0 })).toMatchObject({ kind: 'changed' })
    expect(await signer.retire(ledger, { vkey: old, at: 0 })).toMatchObject({ kind: 'same', keys: [`${old} until=20`, lines[1]] }) // oxfmt-ignore
    expect(await trusting(await noteAt(signer, 19, 10), [`${old} until=20`])).toBe(1)
    await expect(trusting(await noteAt(signer, 20, 19), [`${old} until=20`])).rejects.toMatchObject({ code: 'no_trusted_signature' }) // oxfmt-ignore
  })

  it('does not stop the signing of heads that come meanwhile', async () => {
    const signer = await open()
    await noteAt(signer, 1, 0)
    const [old = ''] = await signer.keys(ledger)
    const signing = (async () => {
      const notes: string[] = []
      for (let size = 2; size < 60; size++) notes.push(await noteAt(signer, size, size - 1))
      return notes
    })()
    await signer.rotate(ledger, { replaces: old, atOnce: false, at: 0 })
    await signer.retire(ledger, { vkey: old, at: 0 })
    const notes = await signing
    const lines = await signer.keys(ledger)
    for (const note of notes) expect(await trusting(note, lines)).toBeGreaterThan(0)
  })

  it('of statements: both sign until the old one is retired at a size of operations', async () => {
    const signer = await open()
    const [old = ''] = await signer.keys('statement')
    const payload = Buffer.from('{}')
    const before = await signer.signStatement('a/b', payload)
    const rotated = await signer.rotate('statement', { replaces: old, atOnce: false, at: 500 })
    if (rotated.kind === 'refused') throw new Error(rotated.reason)
    const [first, second] = rotated.keys.map(parseTrustedKey) as [TrustedKey, TrustedKey]
    expect([first.from, second.from]).toEqual([undefined, 500])
    const both = await signer.signStatement('a/b', payload)
    expect((await openStatement(both, [first])).keys).toHaveLength(1)
    expect((await openStatement(both, [first, second])).keys).toHaveLength(2)
    expect(await signer.retire('statement', { vkey: old, at: 600 })).toMatchObject({ kind: 'changed', keys: [`${old} until=601`, expect.anything()] }) // oxfmt-ignore
    const after = await signer.signStatement('a/b', payload)
    await expect(openStatement(after, [first])).rejects.toMatchObject({ code: 'no_trusted_signature' })
    expect((await openStatement(after, [second])).keys).toEqual([second])
    expect((await openStatement(before, [first])).keys).toEqual([first])
    expect((await files()).filter((name) => /^main\.statement.*\.key$/.test(name))).toHaveLength(1)
  })
})

describe('a rotation that a crash cuts off', () => {
  const cases = (['write', 'sync', 'rename', 'syncFolder'] as const).flatMap((effect) =>
    [1, 2].flatMap((call) => (['not done', 'done'] as const).map((flavour) => ({ effect, call, flavour }))),
  )

  it.each(cases)('at $effect of plan $call ($flavour) leaves a plan that verifiers and signer have in common, and goes on', async ({ effect, call, flavour }) => {
    const first = await start()
    await noteAt(first, 10, 0)
    const [old = ''] = await first.keys(ledger)
    const broken = await start(failing(effect, call, flavour))
    await broken.rotate(ledger, { replaces: old, atOnce: false, at: 0 }).catch(() => undefined)
    await broken.retire(ledger, { vkey: old, at: 0 }).catch(() => undefined)
    // The same process goes on with whatever plan stands.
    await noteAt(broken, 12, 10)

    const again = await start()
    const plan = await readFile(join(folder, 'keys', 'main.unit.vkey'), 'utf8')
    const lines = await again.keys(ledger)
    expect(parseTrustedKeys(plan).map(printTrustedKey)).toEqual(lines)
    expect(await trusting(await noteAt(again, 14, 12), lines)).toBeGreaterThan(0)
    // The operator asks again, and gets there.
    expect((await again.rotate(ledger, { replaces: old, atOnce: false, at: 0 })).kind).not.toBe('refused')
    expect((await again.retire(ledger, { vkey: old, at: 0 })).kind).not.toBe('refused')
    const note = await noteAt(again, 20, 14)
    const [one = '', two = '', ...more] = await again.keys(ledger)
    expect([one.split(' ')[0], more]).toEqual([old, []])
    expect(await trusting(note, [two])).toBe(1)
    expect(await trusting(note, [one, two])).toBe(1)
    expect(await files()).not.toContain('main.unit.key')
  }) // oxfmt-ignore

  it('before the plan was written leaves a secret that signs nothing', async () => {
    const first = await start()
    await noteAt(first, 10, 0)
    const [old = ''] = await first.keys(ledger)
    const broken = await start(failing('write', 1, 'not done'))
    await expect(broken.rotate(ledger, { replaces: old, atOnce: false, at: 0 })).rejects.toThrow('EIO')
    const orphan = (await files()).find((name) => /^main\.unit\.[0-9a-f]{8}\.key$/.test(name))
    expect(orphan).toBeDefined()
    const again = await start()
    expect(await again.keys(ledger)).toEqual([old])
    expect(await trusting(await noteAt(again, 11, 10), [old])).toBe(1)
    await again.rotate(ledger, { replaces: old, atOnce: true, at: 0 })
    const [, newest = ''] = await again.keys(ledger)
    expect(newest).not.toContain(orphan?.split('.')[2])
    expect(await trusting(await noteAt(again, 12, 11), [newest])).toBe(1)
  })
})

describe('a keys folder', () => {
  it('case 16: from before the rotation or without its plan signs nothing: what was retired must not come back', async () => {
    const first = await start()
    await noteAt(first, 10, 0)
    const path = (name: string): string => join(folder, 'keys', name)
    const secret = await readFile(path('main.unit.key'), 'utf8')
    const [old = ''] = await first.keys(ledger)
    await first.rotate(ledger, { replaces: old, atOnce: true, at: 0 })
    await noteAt(first, 11, 10)
    const plan = await readFile(path('main.unit.vkey'), 'utf8')
    // The old secret alone is brought back: it is not used.
    await writeFile(path('main.unit.key'), secret, { mode: 0o600 })
    const again = await start()
    const lines = await again.keys(ledger)
    expect(await trusting(await noteAt(again, 12, 11), lines)).toBe(1)
    await rm(path('main.unit.vkey'))
    await writeFile(path('main.unit.key'), secret, { mode: 0o600 })
    await expect(noteAt(await start(), 13, 12)).rejects.toThrow('there is more than one key')
    for (const damaged of ['', `${plan}${plan}`, plan.split('\n').toReversed().join('\n'), plan.replace('until', 'till')]) {
      await writeFile(path('main.unit.vkey'), damaged)
      await expect(noteAt(await start(), 13, 12)).rejects.toThrow()
    } // oxfmt-ignore
    await writeFile(path('main.unit.vkey'), plan)
    expect(await trusting(await noteAt(await start(), 13, 12), lines)).toBe(1)
    expect(printVkey(parseTrustedKey(lines[1] ?? ''))).toBe(await (await start()).vkey(ledger))
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
