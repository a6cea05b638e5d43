import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ZipFile } from 'yazl'
import { openPackFile } from '../../src/commands/pack-file.ts'
import { isZipFile, verifyPack } from '../../src/commands/verify-pack.ts'
import { packNames, printManifest } from '../../src/verify/pack-format.ts'

/** Zips that somebody made to harm whoever opens them: each is refused with the name of the file, before anything is written or believed. */

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'proofline-zip-'))))
afterAll(() => rm(folder, { recursive: true }))

async function zipOf(entries: readonly (readonly [name: string, content: Buffer, mode?: number])[]): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, content, mode = 0o100644] of entries) zip.addBuffer(content, name, { mode })
  zip.end()
  const chunks: Buffer[] = []
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

let count = 0
async function open(zip: Buffer): Promise<string[]> {
  const path = join(folder, `${count++}.zip`)
  await writeFile(path, zip)
  const source = await openPackFile(path)
  try {
    for (const name of source.names) await source.digest(name)
    return [...source.names]
  } finally {
    source.close()
  }
}

/** Every place where `from` stands, in the directory and where the bytes are. */
const rename = (zip: Buffer, from: string, to: string): Buffer =>
  Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1')
const text = Buffer.from('some text that is long enough to be compressed, compressed, compressed')

describe('openPackFile', () => {
  it('reads what yazl wrote', async () => {
    expect(await open(await zipOf([['a/b.json', text], ['c.csv', Buffer.alloc(0)]]))).toEqual(['a/b.json', 'c.csv']) // oxfmt-ignore
  })

  it.each(['../../x', '/etc/pwd', 'a\\..\\xx', 'a/../bb', 'a//bbbb', 'a\nbbbbb', 'C:/bbbb', 'a/./bbb'])(
    'refuses the name %j',
    async (name) => {
      const harmless = 'x'.repeat(Buffer.byteLength(name))
      await expect(open(rename(await zipOf([[harmless, text]]), harmless, name))).rejects.toThrow(
        /name|path|characters/,
      )
    },
  )

  it('refuses a name that is there twice, also in other letters', async () => {
    const zip = await zipOf([['first', text], ['secon', text]]) // oxfmt-ignore
    await expect(open(rename(zip, 'secon', 'first'))).rejects.toThrow('first is in the zip twice')
    await expect(open(rename(zip, 'secon', 'FIRST'))).rejects.toThrow('FIRST is in the zip twice')
  })

  it('refuses links, devices and folders', async () => {
    await expect(open(await zipOf([['link', Buffer.from('/etc/passwd'), 0o120777]]))).rejects.toThrow(
      '"link" is a link',
    )
    await expect(open(await zipOf([['pipe', text, 0o010644]]))).rejects.toThrow('"pipe" is a link or a device')
    await expect(open(rename(await zipOf([['folder', Buffer.alloc(0)]]), 'folder', 'folde/'))).rejects.toThrow('no name of a file') // oxfmt-ignore
  })

  it('refuses a file that expands beyond reason, and one that is longer than it says', async () => {
    await expect(open(await zipOf([['bomb', Buffer.alloc(20_000_000)]]))).rejects.toThrow(/"bomb" expands \d+ times/)
    const zip = await zipOf([['short', text]])
    for (let at = zip.indexOf('PK\u0001\u0002'); at >= 0; at = zip.indexOf('PK\u0001\u0002', at + 1)) zip.writeUInt32LE(3, at + 24) // oxfmt-ignore
    await expect(open(zip)).rejects.toThrow(/too many bytes/)
  })

  it('refuses another CRC-32, other names where the bytes are, and files that overlap', async () => {
    const zip = await zipOf([['aaaaa', text], ['bbbbb', text]]) // oxfmt-ignore
    const crc = Buffer.from(zip)
    crc.writeUInt32LE(7, crc.indexOf('PK\u0001\u0002') + 16)
    await expect(open(crc)).rejects.toThrow('aaaaa has another CRC-32')
    const named = Buffer.from(zip)
    named.write('ccccc', named.indexOf('bbbbb'))
    await expect(open(named)).rejects.toThrow('bbbbb has another name where its bytes are')
    const overlapping = Buffer.from(zip)
    const second = overlapping.indexOf('PK\u0001\u0002', overlapping.indexOf('PK\u0001\u0002') + 1)
    overlapping.writeUInt32LE(0, second + 42)
    await expect(open(overlapping)).rejects.toThrow('overlaps another file')
    await expect(open(Buffer.concat([Buffer.from('#!/bin/sh\n'), zip]))).rejects.toThrow()
  })

  it('says of bytes that cannot be unpacked which file they are, as a check', async () => {
    const files = [{ name: 'report.html', bytes: text.length, sha256: '0'.repeat(64) }]
    const zip = await zipOf([[packNames.manifest, Buffer.from(printManifest(files))], ['report.html', text]]) // oxfmt-ignore
    const packed = zip.indexOf(deflateRawSync(text))
    expect(packed).toBeGreaterThan(0)
    zip[packed] = 0xff // a type of block that deflate does not have
    const path = join(folder, 'damaged.zip')
    await writeFile(path, zip)
    expect(await verifyPack(path, { keys: [] }, undefined)).toContainEqual({
      check: 'files',
      verdict: 'differs',
      detail: expect.stringContaining('unreadable file report.html: '),
    })
  })

  it('says of a torn or foreign file that it is no zip, and verify answers that as a check', async () => {
    const zip = await zipOf([['a', text]])
    await expect(open(zip.subarray(0, -30))).rejects.toThrow()
    const path = join(folder, 'torn.zip')
    await writeFile(path, zip.subarray(0, -30))
    expect(await isZipFile(path)).toBe(true)
    expect(await verifyPack(path, { keys: [] }, undefined)).toMatchObject([{ check: 'zip', verdict: 'differs' }])
    await writeFile(path, '{"schema":"proofline.receipts.v1"}')
    expect(await isZipFile(path)).toBe(false)
  })
})
