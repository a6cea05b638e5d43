import { createHash } from 'node:crypto'
import { maxBatchBytes, maxBatchRecords } from '../ledger/batch.ts'
import { Problem } from '../record/problem.ts'
import { inventoryPayloads } from '../record/run.ts'
import { arriving } from './arriving.ts'
import { readInventory } from './inventory.ts'
import type { InventoryJob, WorkerBox } from './messages.ts'
import { sendSlices } from './send-slices.ts'

/**
 * In a worker thread: the inventory of a commit, sorted and cut into records. 100,000 files are half a second of work, which would be as long a silence of
 * everybody else's requests on the thread that took the body.
 */
export async function cutInventory(job: InventoryJob, box: WorkerBox): Promise<void> {
  const { ledger, repository, commit, maxFiles } = job
  const files = await readInventory(arriving(box), maxFiles)
  const digest = createHash('sha256')
  for (const { path, blob } of files) digest.update(`${path}\0${blob}\n`)
  const payloads = inventoryPayloads(ledger, repository, commit, files)
  const bytes = payloads.reduce((sum, payload) => sum + payload.length + 1, 0)
  // It is one submission, so that the first one stands whole.
  if (bytes > maxBatchBytes || payloads.length > maxBatchRecords)
    throw new Problem(
      'too_many_files',
      `${files.length} files take ${bytes} bytes of records, at most ${maxBatchBytes} are recorded`,
    )
  box.send({ type: 'summary', summary: { digest: digest.digest('hex'), files: files.length } })
  const asked = await box.next()
  if (asked.type !== 'go') return
  await sendSlices(box, 'inventory', payloads)
  box.send({ type: 'done' })
}
