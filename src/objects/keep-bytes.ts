import type { Artifacts } from './objects.ts'

/** Keeps what is made here, a list, a text, a report, under the digest of its bytes. Durable when it resolves; the same bytes may be there. */
export async function keepBytes(artifacts: Pick<Artifacts, 'writer'>, bytes: Uint8Array): Promise<void> {
  const writer = await artifacts.writer()
  await writer.write(bytes)
  await writer.commit()
}
