import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** A span of one kept body. */
export interface Span {
  body: number
  from: number
  to: number
}

/** Request bodies, compressed: a batch of records shrinks to a tenth, so that a fake can hold hundreds of thousands and read each back. */
export interface Bodies {
  keep(body: Buffer): number
  read(span: Span): Buffer
}

export function createBodies(): Bodies {
  const kept: Buffer[] = []
  let opened = { body: -1, bytes: Buffer.alloc(0) }
  return {
    keep: (body) => kept.push(zstdCompressSync(body)) - 1,
    read({ body, from, to }) {
      if (opened.body !== body) opened = { body, bytes: zstdDecompressSync(kept[body] ?? Buffer.alloc(0)) }
      return opened.bytes.subarray(from, to)
    },
  }
}
