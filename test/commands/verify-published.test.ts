import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addSignatures, cosign, parseNote } from '../../src/log/note.ts'
import { createSigningKey, printVkey } from '../../src/log/vkey.ts'
import { createFolderShelf } from '../../src/publish/folder-shelf.ts'
import { publishLog } from '../../src/publish/publish-log.ts'
import { createMemoryLog, ledger, origin } from '../publish/memory-log.ts'
import { listen } from '../support/http-fake.ts'
import { type Ran, runProgram } from './run-program.ts'

const log = await createMemoryLog(600)
const key = printVkey(log.key)
let folder: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verify-published-'))
  await publishTo(600)
})
afterEach(() => rmSync(folder, { recursive: true }))

const copy = (): string => join(folder, 'copy')
const file = (path: string): string => join(copy(), ledger, path)
async function publishTo(size: number, from = log): Promise<void> {
  const shelf = await createFolderShelf(copy())
  const { signal } = new AbortController()
  await publishLog({ shelf, ledger, origin, keys: [log.key], tree: from.tree, newest: () => from.note(size), signal })
}
const verify = (...args: string[]): Promise<Ran> => runProgram(folder, ['verify', '--published', copy(), ...args])
const flip = (path: string, at: number): void => {
  const bytes = readFileSync(file(path))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file(path), bytes)
}

describe('proofline verify --published FOLDER', () => {
  it('needs a key and nothing else, and says which one when it has none', async () => {
    const ran = await verify('--key', key)
    expect(ran.stdout).toContain('ok  main/unit         600 records, every one hashed again, lead to the root signed by localhost/main/unit\n') // oxfmt-ignore
    expect(ran.code).toBe(0)
    const none = await verify()
    expect(none.code).toBe(2)
    expect(none.stderr).toContain(`It says to be signed by ${key.slice(0, key.lastIndexOf('+'))}`)
    const empty = await runProgram(folder, ['verify', '--published', folder, '--key', key])
    expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('[not_found]') as string })
    expect((await runProgram(folder, ['verify', 'x', '--published', folder])).code).toBe(2)
  })

  it.each<[string, () => void, RegExp]>([
    ['case 1: an altered record', () => flip('tile/entries/001', 700), /first bad seq 260: \w+(?:-\w+)?: expected .*, found /],
    ['case 19: an altered leaf hash', () => flip('tile/0/001', 32 * 9), /first bad seq 265: leaf-mismatch/],
    ['an altered hash of an upper tile', () => flip('tile/1/000.p/2', 33), /first bad seq 256: tile-mismatch: expected subtree/],
    ['case 19: a torn tile', () => writeFileSync(file('tile/0/001'), readFileSync(file('tile/0/001')).subarray(0, 8000)), /tile-mismatch: expected 8192 bytes of tile\/0\/001, found 8000 bytes/],
    ['a tile that is too long', () => writeFileSync(file('tile/0/001'), Buffer.concat([readFileSync(file('tile/0/001')), Buffer.alloc(32)])), /expected 8192 bytes of tile\/0\/001, found 8224 bytes/],
    ['a torn bundle', () => writeFileSync(file('tile/entries/001'), readFileSync(file('tile/entries/001')).subarray(0, 8000)), /first bad seq 2\d\d: malformed: expected the entries of tile\/entries\/001/],
    ['case 2: a missing bundle', () => rmSync(file('tile/entries/001')), /first bad seq 256: missing: expected records 256 to 511, found nothing/],
    ['case 12: another size in the checkpoint', () => writeFileSync(file('checkpoint'), readFileSync(file('checkpoint'), 'utf8').replace('\n600\n', '\n599\n')), /bad-signature: .*bad signature for key localhost\/main\/unit/],
  ])('names %s', async (_, edit, said) => {
    edit()
    const { code, stdout } = await verify('--key', key, '--ledger', 'unit')
    expect(stdout).toMatch(said)
    expect(code).toBe(1)
    const json = JSON.parse((await verify('--key', key, '--ledger', 'unit', '--json')).stdout) as { verdict: string }
    expect(json.verdict).toBe('differs')
  }) // oxfmt-ignore

  it('case 21: takes the full tile where the partial one is gone, cut to size', async () => {
    const old = readFileSync(file('checkpoint'))
    await publishTo(768, await createMemoryLog(768))
    expect(existsSync(file('tile/0/002.p/88'))).toBe(false)
    writeFileSync(file('checkpoint'), old)
    const { code, stdout } = await verify('--key', key, '--ledger', 'unit')
    expect(stdout).toContain('600 records')
    expect(code).toBe(0)
  })

  it('case 8, 9, 10: remembers what it verified; a rolled back or forked copy differs, and the memory stays', async () => {
    const since = ['--since', join(folder, 'seen.json'), '--key', key, '--ledger', 'unit']
    expect((await verify(...since)).code).toBe(0)
    writeFileSync(file('checkpoint'), await log.note(512))
    const back = await verify(...since)
    expect(back).toMatchObject({ code: 1, stdout: expect.stringContaining('rollback: expected at least 600 records as remembered, found 512') as string }) // oxfmt-ignore
    rmSync(copy(), { recursive: true })
    await publishTo(700, await createMemoryLog(700, 'b', 300))
    const fork = await verify(...since)
    expect(fork).toMatchObject({ code: 1, stdout: expect.stringMatching(/root-mismatch: expected root \w+ at size 600/) as string }) // oxfmt-ignore
    rmSync(copy(), { recursive: true })
    await publishTo(600, await createMemoryLog(600, 'b', 300))
    const same = await verify(...since)
    expect(same.stdout).toContain('fork: expected localhost/main/unit') // both notes, word for word
    expect(readFileSync(join(folder, 'seen.json'), 'utf8')).toContain('\\n600\\n')
  })

  it('case 22: finds a frozen view by the age of its newest record', async () => {
    const old = await verify('--key', key, '--ledger', 'unit', '--max-age', '60')
    expect(old.code).toBe(Date.now() > Date.UTC(2026, 10, 23, 0, 2) ? 1 : 0)
    expect(old.stdout).toMatch(/stale: expected a record or cosignature of the last 60 s, found the newest at 2026-11-23T00:00:00\.000599Z/) // oxfmt-ignore
    expect((await verify('--key', key, '--ledger', 'unit', '--max-age', '9999999999')).code).toBe(0)
  })
})

describe('proofline verify --published FOLDER --policy FILE', () => {
  const policy = (...lines: string[]): string[] => {
    writeFileSync(join(folder, 'policy.txt'), `${lines.join('\n')}\n`)
    return ['--policy', join(folder, 'policy.txt'), '--ledger', 'unit']
  }

  it('believes the logs and witnesses of the policy and no other key, and demands its quorum of the checkpoint', async () => {
    const [a, b] = [await createSigningKey('a.example', 4, new Uint8Array(32).fill(1)), await createSigningKey('b.example', 4, new Uint8Array(32).fill(2))] // oxfmt-ignore
    const named = [`log ${key}`, `witness a ${printVkey(a)}`, `witness b ${printVkey(b)}`, 'group all 2 a b']
    expect((await verify(...policy(`log ${key}`, 'quorum none'))).code).toBe(0)
    expect(await verify(...policy(...named, 'quorum all'))).toMatchObject({ code: 1, stdout: expect.stringContaining('no quorum: cosigned by no known witness') as string }) // oxfmt-ignore
    const note = await log.note(600)
    const { text } = parseNote(note)
    const now = Math.floor(Date.now() / 1000)
    const lines = [await cosign(text, a, now), await cosign(text, b, now)]
    writeFileSync(file('checkpoint'), addSignatures(note, lines.slice(0, 1)))
    expect(await verify(...policy(...named, 'quorum all'))).toMatchObject({ code: 1, stdout: expect.stringContaining('no quorum: cosigned by a.example') as string }) // oxfmt-ignore
    writeFileSync(file('checkpoint'), addSignatures(note, lines))
    // The records are old, what the witnesses saw is not.
    expect(await verify(...policy(...named, 'quorum all'), '--max-age', '600')).toMatchObject({ code: 0, stderr: '' })
    expect((await verify('--key', key, '--ledger', 'unit', '--max-age', '600')).code).toBe(1)
  })

  it('says what a policy lacks, and what an option says nothing about', async () => {
    expect((await verify(...policy(`log ${key}`))).stderr).toMatch(/no quorum: its last line is `quorum none`/)
    const archive = await runProgram(folder, ['verify', folder, '--key', key, '--since', 'x'])
    expect(archive).toMatchObject({ code: 2, stderr: expect.stringContaining('--since says nothing about a folder of day files') as string }) // oxfmt-ignore
    const nowhere = await runProgram(folder, ['verify', '--published', 'nowhere', '--key', key])
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/there is no folder .*nowhere \[not_found\]/) as string }) // oxfmt-ignore
    expect((await verify('--key', key)).code).toBe(0)
  })
})

describe('proofline verify --published URL', () => {
  /** Serves the copy; `cached` is what a cache has under a path, given unless it is told not to. */
  const serve = (cached: Map<string, Buffer>, headers: object = {}) =>
    listen(async (request, response) => {
      const path = new URL(request.url ?? '/', 'http://x').pathname.slice('/some/where/'.length)
      const isFresh = request.headers['cache-control'] === 'no-cache'
      const found =
        (isFresh ? undefined : cached.get(path)) ?? (await readFile(join(copy(), path)).catch(() => undefined))
      response.writeHead(found === undefined ? 404 : 200, { ...(request.headers.authorization === undefined ? headers : { 'x-credential': 'sent' }) }) // oxfmt-ignore
      response.end(found === undefined || !('content-encoding' in headers) ? found : gzipSync(found))
    })
  const verifyAt = (url: string, ...args: string[]) =>
    runProgram(folder, ['verify', '--published', `${url}/some/where/`, '--key', key, '--ledger', 'unit', ...args])

  it('reads any server of static files, also one that compresses unasked', async () => {
    for (const headers of [{}, { 'content-encoding': 'gzip' }]) {
      const server = await serve(new Map(), headers)
      expect(await verifyAt(server.url)).toMatchObject({ code: 0, stdout: expect.stringContaining('ok  main/unit  600 records') as string }) // oxfmt-ignore
      await server.close()
    }
  })

  it('case 20: asks past the caches for a tile that does not fit, and says that one on the way was wrong', async () => {
    const altered = readFileSync(file('tile/0/001'))
    altered[40] = (altered[40] ?? 0) ^ 1
    const server = await serve(new Map([['main/unit/tile/0/001', altered], ['main/unit/tile/entries/000', Buffer.from('torn')]])) // oxfmt-ignore
    const ran = await verifyAt(server.url)
    await server.close()
    expect(ran.stdout).toMatch(/^ok .*; a cache on the way gave other bytes at first: first bad seq 257: leaf-mismatch/)
    expect(ran.code).toBe(0)
  })

  it('ends with 4 when nothing answers', async () => {
    const server = await serve(new Map())
    await server.close()
    expect((await verifyAt(server.url)).code).toBe(4)
  })
})
