import { Problem } from '../record/problem.ts'
import type { InventoryFile } from '../record/run.ts'
import { parseObject, readLines, toFileAt } from './ndjson.ts'

/** Reads the NDJSON of an inventory: `{"path","blob"}` a line, each path once. Answers the files in path order. */
export async function readInventory(body: AsyncIterable<Uint8Array>, maxFiles: number): Promise<InventoryFile[]> {
  const files: InventoryFile[] = []
  for await (const numbered of readLines(body, 'inventory', 16_384)) {
    if (files.length === maxFiles) throw new Problem('too_many_files', `an inventory holds at most ${maxFiles} files`)
    const file = toFileAt(parseObject(numbered, 'inventory'), numbered.line)
    if (file === undefined)
      throw new Problem('request_invalid', `line ${numbered.line} of the inventory is not {"path","blob"}`)
    files.push(file)
  }
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const twice = files.find(({ path }, i) => path === files[i + 1]?.path)
  if (twice !== undefined) throw new Problem('request_invalid', `the inventory has ${JSON.stringify(twice.path)} twice`)
  return files
}
