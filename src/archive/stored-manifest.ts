import { openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { verifyConsistency } from '../log/merkle-proof.ts'
import { equalHashes } from '../log/merkle.ts'
import { openStatement } from '../log/statement.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import type { Objects } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import { dayKey, dayPayloadType, manifestFile, parseManifest, printManifest } from '../verify/day-manifest.ts'
import type { DayManifest } from '../verify/day-manifest.ts'

export interface ManifestReader {
  objects: Objects
  signer: Pick<Signer, 'keys'>
  ledger: LedgerName
}

/** The payload of a manifest as it lies in the archive, signed by the org's key, also by one that was retired since. */
export async function openManifest({ objects, signer, ledger }: ManifestReader, day: string): Promise<Uint8Array> {
  const stream = await objects.open(dayKey(ledger, day, manifestFile))
  if (stream === undefined) throw new Problem('integrity', `the archive of ${ledger} lost the manifest of ${day}`)
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  const keys = (await signer.keys('statement')).map(parseTrustedKey)
  const ours = async (): Promise<{ payloadType: string; payload: Uint8Array }> =>
    openStatement(Buffer.concat(chunks), keys)
  const { payloadType, payload } = await ours().catch((cause: unknown) => {
    if (!(cause instanceof LogError)) throw cause
    const detail = `the archive of ${ledger} has a manifest of ${day} that is not ours: ${cause.message}`
    throw new Problem('integrity', detail, { cause })
  })
  if (payloadType === dayPayloadType) return payload
  throw new Problem('integrity', `the archive of ${ledger} has a ${payloadType} for a manifest of ${day}`)
}

/**
 * The payload that lies there says the same as `expected`. Only its checkpoint may be another one: after `proofline recover` the database
 * has fewer of them than it had when the day was written. It must be one of this log all the same, and the day lead to it.
 */
export async function storedManifest(reader: ManifestReader, expected: DayManifest): Promise<Uint8Array> {
  const { ledger, day } = expected
  const payload = await openManifest(reader, day)
  if (Buffer.compare(payload, printManifest(expected)) === 0) return payload
  const found = parse(payload)
  if (
    found !== undefined &&
    Buffer.compare(printManifest({ ...found, checkpoint: expected.checkpoint }), printManifest(expected)) === 0
  ) {
    const keys = (await reader.signer.keys(ledger)).map(parseTrustedKey)
    const signed = await openCheckpoint(found.checkpoint.note, expected.origin, keys).catch((cause: unknown) => {
      if (cause instanceof LogError) return undefined
      throw cause
    })
    const { size, root } = expected
    const leads = (to: { size: number; root: Uint8Array }): boolean =>
      size === to.size || size === 0
        ? size === 0 || equalHashes(root, to.root)
        : verifyConsistency({
            from: size,
            to: to.size,
            proof: [...found.checkpoint.consistency],
            fromRoot: root,
            toRoot: to.root,
          })
    if (signed !== undefined && signed.size >= size && leads(signed)) return payload
  }
  throw new Problem('integrity', `the archive of ${ledger} has another manifest of ${day}`)
}

function parse(payload: Uint8Array): DayManifest | undefined {
  try {
    return parseManifest(payload)
  } catch {
    return undefined // signed by us, and no manifest: told as another one
  }
}
