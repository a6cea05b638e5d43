import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { constants, createZstdCompress, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { createDecoder, toDecodeProblem } from '../../src/admission/decoder.ts'

/** Of a stream, whose length is not known: then the window is what the compressor says, whatever there is to remember. */
const withWindow = (log: number): Promise<Buffer> =>
  buffer(
    Readable.from([Buffer.alloc(100_000, 'TN:\n')]).pipe(
      createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: log } }),
    ),
  )
const decode = (bytes: Buffer): Promise<Buffer> => buffer(Readable.from([bytes]).pipe(createDecoder('zstd')))

it('a window of 8 MiB is taken, one of 16 MiB or more is refused before there is memory for it', async () => {
  expect((await decode(await withWindow(23))).length).toBe(100_000)
  for (const log of [24, 27, 31]) {
    const error: unknown = await decode(await withWindow(log)).catch((refused: unknown) => refused)
    expect(toDecodeProblem('zstd', error)).toMatchObject({
      code: 'encoding_invalid',
      message: expect.stringContaining('more than 8 MiB'),
    })
  }
})

it('what follows the first member of a gzip body is decoded too, and no less counted', async () => {
  const member = gzipSync(Buffer.alloc(1_000, 'x'))
  const decoded = await buffer(Readable.from([Buffer.concat([member, member, member])]).pipe(createDecoder('gzip')))
  expect(decoded.length).toBe(3_000)
})
