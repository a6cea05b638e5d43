import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Inputs that were findings once, in `test/fixtures/fuzz/<target>/`. */
const folderOf = (name: string): URL => new URL(`../../fixtures/fuzz/${name}/`, import.meta.url)

export function readKept(name: string): Uint8Array[] {
  let files: string[]
  try {
    files = readdirSync(folderOf(name))
  } catch {
    return []
  }
  return files.toSorted().map((file) => Uint8Array.from(readFileSync(new URL(file, folderOf(name)))))
}

/** Answers the path. */
export function keep(name: string, input: Uint8Array): string {
  mkdirSync(folderOf(name), { recursive: true })
  const path = new URL(createHash('sha256').update(input).digest('hex').slice(0, 16), folderOf(name))
  writeFileSync(path, input)
  return fileURLToPath(path)
}
