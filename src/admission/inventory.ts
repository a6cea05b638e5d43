import { Problem } from '../record/problem.ts'
import type { InventoryFile } from '../record/run.ts'

/** Reads the NDJSON of an inventory: `{"path","blob"}` a line, each path once. Answers the files in path order. */
export async function readInventory(body: AsyncIterable<Uint8Array>, maxFiles: number): Promise<InventoryFile[]> {
  const files: InventoryFile[] = []
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  let line = 0
  const take = (text: string): void => {
    line++
    if (text === '') return
    if (files.length === maxFiles) throw new Problem('too_many_files', `an inventory holds at most ${maxFiles} files`)
    files.push(toFile(text, line))
  }
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > 16_384)
        throw new Problem('request_invalid', `line ${line + lines.length + 1} of the inventory is too long`)
      for (const text of lines) take(text)
    }
    take(rest + decoder.decode())
  } catch (error) {
    if (error instanceof Problem) throw error
    if (error instanceof TypeError)
      throw new Problem('request_invalid', `line ${line + 1} of the inventory is not UTF-8`)
    throw new Problem('body_incomplete', 'the inventory broke off', { cause: error })
  }
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const twice = files.find(({ path }, i) => path === files[i + 1]?.path)
  if (twice !== undefined) throw new Problem('request_invalid', `the inventory has ${JSON.stringify(twice.path)} twice`)
  return files
}

function toFile(text: string, line: number): InventoryFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Problem('request_invalid', `line ${line} of the inventory is not JSON`)
  }
  const { path, blob } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  if (
    typeof path !== 'string' ||
    path === '' ||
    path.includes('\0') ||
    typeof blob !== 'string' ||
    !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(blob)
  ) {
    throw new Problem('request_invalid', `line ${line} of the inventory is not {"path","blob"}`)
  }
  if (Buffer.byteLength(JSON.stringify(path)) > 1_026)
    throw new Problem('record_too_large', `line ${line}: the path is over 1,024 bytes`)
  return { path, blob }
}
