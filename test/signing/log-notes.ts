import { printAddCheckpoint } from '../../src/log/add-checkpoint.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { sealNote } from '../../src/log/note.ts'
import { type SigningKey, createSigningKey } from '../../src/log/vkey.ts'
import { createTree } from './tree.ts'

/** A log that grows and signs, for tests of witnesses. `fork`: leaves from `before` on are others. */
export async function createLog(origin: string, seed: number, fork?: { name: string; before: number }) {
  const key = await createSigningKey(origin, 1, new Uint8Array(32).fill(seed))
  const tree = fork === undefined ? createTree() : createTree(fork.name, fork.before)
  const checkpoint = (size: number, by: readonly SigningKey[] = [key]): Promise<string> =>
    sealNote(printCheckpoint({ origin, size, root: tree.rootAt(size) }), by)
  return {
    origin,
    key,
    checkpoint,
    /** The request that brings a witness from one size to another. */
    async request(from: number, size: number): Promise<string> {
      const { proof } = await tree.requestAt(size, from)
      const hashes = from === size ? [] : proof.hashes
      return printAddCheckpoint({ oldSize: from, hashes, checkpoint: await checkpoint(size) })
    },
  }
}
