import { hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { consistencyProof } from '../../src/log/merkle-proof.ts'
import type { SignRequest } from '../../src/signing/signer.ts'

/** A growing log for tests of the signer: leaf i is `<name>-i`. `requestAt` asks for its head at a size, with the proof from another. */
export function createTree(name = 'leaf', before = 0, beforeName = 'leaf') {
  const encoder = new TextEncoder()
  const leaves = (count: number): Uint8Array =>
    Uint8Array.from(
      Buffer.concat(
        Array.from({ length: count }, (_, i) => hashLeaf(encoder.encode(`${i < before ? beforeName : name}-${i}`))),
      ),
    )
  const rootAt = (size: number): Uint8Array => Uint8Array.from(rootOfLeaves(leaves(size)))
  return {
    rootAt,
    async requestAt(size: number, from: number): Promise<SignRequest> {
      const packed = leaves(size)
      const hashes =
        from === 0 || from > size
          ? []
          : await consistencyProof(from, size, async (nodes) =>
              nodes.map(({ height, index }) =>
                rootOfLeaves(packed.subarray(32 * index * 2 ** height, 32 * (index + 1) * 2 ** height)),
              ),
            )
      return { size, root: rootAt(size), proof: { from, hashes } }
    },
  }
}
