import { open, readFile } from 'node:fs/promises'
import { checkPack } from '../verify/pack.ts'
import type { PackTrust } from '../verify/pack-log-check.ts'
import { openPackFile } from './pack-file.ts'
import type { Trust } from './policy-trust.ts'
import type { Check } from './verify.ts'

/** An evidence pack is verified with nothing but itself, and keys or a policy that somebody brings along: no network, no service. */
export async function verifyPack(path: string, given: Trust, ca: string | undefined): Promise<Check[]> {
  const trust: PackTrust = { ...given }
  if (ca !== undefined) {
    const { verifyTimestamp } = await import('../verify/timestamp.ts')
    const trusted = await readFile(ca, 'utf8')
    trust.verifyTimestamp = async (token, note) => {
      const { timeMs, signer } = await verifyTimestamp(token, note, trusted)
      return `${new Date(timeMs).toISOString()}, says ${signer}`
    }
  }
  let source: Awaited<ReturnType<typeof openPackFile>>
  try {
    source = await openPackFile(path)
  } catch (error) {
    return [{ check: 'zip', verdict: 'differs', detail: error instanceof Error ? error.message : String(error) }]
  }
  try {
    return await checkPack(source, trust)
  } finally {
    source.close()
  }
}

/** By its first bytes, whatever it is called; a pack may be too large to be read for that. */
export async function isZipFile(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && ['504b0304', '504b0506'].includes(buffer.toString('hex'))
  } finally {
    await file.close()
  }
}
