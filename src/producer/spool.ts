import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Problem } from '../record/problem.ts'
import { openArtifact, readArtifact, type Artifact } from './artifact.ts'
import type { SpooledPlan } from './spool-plan.ts'
import { inventoryBody, type Plan } from './upload.ts'

/**
 * Keeps a run in a folder until the service can be reached: one folder a run, complete or not there (written under another name, synced,
 * renamed). It holds everything that is sent, so the checkout may be gone by then. Draining twice, or beside a push, does no harm.
 */

/** Writes `plan` below `folder` and returns where. The same plan spooled again replaces nothing: a second folder is made. */
export async function writeSpool(plan: Plan, folder: string): Promise<string> {
  const name = `${plan.run}.${randomUUID().slice(0, 8)}`
  const unfinished = join(folder, `.${name}`)
  await mkdir(unfinished, { recursive: true })
  const inventory = plan.inventory && 'inventory.ndjson'
  if (plan.inventory !== undefined && inventory !== undefined) {
    const { kind } = plan.inventory
    const body =
      kind === 'git'
        ? inventoryBody(plan.inventory.folder, plan.inventory.commit)
        : openArtifact(plan.inventory.artifact, ignore).stream
    await keep(body, join(unfinished, inventory))
  }
  const parts: SpooledPlan['parts'] = []
  for (const [index, { query, artifact }] of plan.parts.entries()) {
    const file = `part-${index}`
    await keep(openArtifact(artifact, ignore).stream, join(unfinished, file))
    parts.push({ query, file, sha256: artifact.sha256 })
  }
  const { run, declaration, seal } = plan
  const stored: SpooledPlan = {
    format: 'proofline.spool.v1',
    run,
    declaration,
    inventory: inventory ?? null,
    parts,
    seal: seal ?? null,
  }
  await writeFile(join(unfinished, 'plan.json'), `${JSON.stringify(stored, undefined, 2)}\n`, { flush: true })
  const finished = join(folder, name)
  await rename(unfinished, finished)
  await syncFolder(folder)
  return finished
}

/** The runs kept below `folder`, oldest name first. */
export async function listSpool(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new Problem('request_invalid', `cannot read the spool ${folder}`, { cause })
  })
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => join(folder, entry.name))
    .toSorted()
}

/** Throws `request_invalid` for what `writeSpool` did not write, and when a part is no longer the bytes that were kept. */
export async function readSpool(folder: string): Promise<Plan> {
  const stored = await readStored(folder)
  const parts: Plan['parts'][number][] = []
  for (const { query, file, sha256 } of stored.parts) {
    const artifact: Artifact = await readArtifact(join(folder, file), '')
    if (artifact.sha256 !== sha256)
      throw new Problem(
        'request_invalid',
        `${join(folder, file)} is not what was spooled: expected ${sha256}, found ${artifact.sha256}`,
      )
    parts.push({ query, artifact })
  }
  const artifact = stored.inventory === null ? undefined : await readArtifact(join(folder, stored.inventory), '')
  return {
    run: stored.run,
    declaration: stored.declaration,
    inventory: artifact && { kind: 'file', artifact },
    lineMaps: undefined, // nobody asked for any then; the next push of the branch brings what is missing
    parts,
    seal: stored.seal ?? undefined,
  }
}

/** After the service answered for all of it. */
export async function removeSpool(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

async function readStored(folder: string): Promise<SpooledPlan> {
  let text: string
  try {
    text = await readFile(join(folder, 'plan.json'), 'utf8')
  } catch (cause) {
    throw new Problem('request_invalid', `${folder} holds no spooled run`, { cause })
  }
  const { parseSpooledPlan } = await import('./spool-plan.ts') // loads zod, which a push does without
  try {
    return parseSpooledPlan(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw new Problem('request_invalid', `${folder} holds no run that this version spooled: ${why}`, { cause })
  }
}

async function keep(body: NodeJS.ReadableStream, file: string): Promise<void> {
  await pipeline(body, createWriteStream(file, { flush: true, mode: 0o600 }))
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

const ignore = (): void => undefined
