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
 * At the start: throws when the storage refuses this service or stores a key twice. One that only cannot be reached now is no reason not
 * to start, since everything but artifacts goes on; answers a sentence about it.
 */
export async function proveObjects(objects: Objects): Promise<string | undefined> {
  try {
    await objects.prove()
    return undefined
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'unavailable') throw error
    return `${error.message}: reports are not taken in until it does`
  }
}
