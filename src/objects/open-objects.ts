import { Problem } from '../record/problem.ts'
import { createFolderObjects } from './folder.ts'
import type { Objects } from './objects.ts'
import type { ObjectsSettings } from './settings.ts'

/** The storage that the settings name. What only S3 needs is loaded only for it. */
export async function openObjects(settings: ObjectsSettings): Promise<Objects> {
  if (settings.s3 === undefined) return createFolderObjects(settings.folder)
  const { createS3Objects } = await import('./s3.ts')
  return createS3Objects(settings.s3, { spoolFolder: settings.folder })
}

/**
 * At the start: throws when the storage refuses this service, stores a key twice, or is another org's. One that only cannot be reached now
 * is no reason not to start, since everything but artifacts goes on; answers a sentence about it.
 */
export async function proveObjects(objects: Objects, org: string): Promise<string | undefined> {
  try {
    await objects.prove()
    await claimObjects(objects, org)
    return undefined
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'unavailable') throw error
    return `${error.message}: reports are not taken in until it does`
  }
}

const ownerKey = 'org'

/**
 * A storage is one org's, whoever came first. An artifact is named by nothing but its digest: in a storage of several orgs a digest would
 * give the bytes of another one, and what retention deletes for one would be gone for all.
 */
async function claimObjects(objects: Objects, org: string): Promise<void> {
  if ((await objects.put(ownerKey, [new TextEncoder().encode(org)])) === 'stored') return
  const stream = await objects.open(ownerKey)
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer) // a stream of bytes
  const owner = Buffer.concat(chunks).toString()
  if (owner === org) return
  const detail = `the artifact storage belongs to the org ${JSON.stringify(owner.slice(0, 64))}: give ${org} a data folder, or a bucket or artifacts.s3.prefix, of its own`
  throw new Problem('request_invalid', detail)
}
