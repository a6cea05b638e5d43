import { glob, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { Problem } from '../record/problem.ts'

/**
 * The files that paths and patterns name, absolute, each once, a pattern's in order of their names. A path that exists is taken as it is,
 * whatever characters it has. Throws `request_invalid` for a pattern that matches nothing: a typing error must not turn into less evidence.
 */
export async function expandFiles(patterns: readonly string[], cwd: string, option = ''): Promise<string[]> {
  const files = new Set<string>()
  for (const pattern of patterns) {
    const path = resolve(cwd, pattern)
    const isPattern = /[*?[\]{}!()]/.test(pattern)
    const found = (await isFile(path)) ? [path] : isPattern ? await matches(pattern, cwd) : []
    if (found.length === 0) {
      const what = isPattern ? `matches no file in ${cwd}` : `is no file in ${cwd}`
      throw new Problem('request_invalid', `${option}${pattern} ${what}`)
    }
    for (const file of found) files.add(file)
  }
  return [...files]
}

/** Dependencies bring reports of their own; whoever wants those names the folder. */
async function matches(pattern: string, cwd: string): Promise<string[]> {
  const skipped = ['node_modules', '.git'].filter((folder) => !pattern.includes(folder))
  const found: string[] = []
  for await (const name of glob(pattern, { cwd, exclude: (path) => skipped.includes(path.split(sep).at(-1) ?? '') })) {
    const file = resolve(cwd, name)
    if (await isFile(file)) found.push(file)
  }
  return found.toSorted()
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
