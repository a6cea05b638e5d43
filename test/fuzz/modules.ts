import { readdirSync } from 'node:fs'
import type { FuzzTarget } from './engine/target.ts'

/** Every file of targets, with its targets. */
const folder = new URL('targets/', import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith('.ts')).toSorted() // oxfmt-ignore

export const modules: readonly { module: URL; targets: readonly FuzzTarget[] }[] = await Promise.all(
  files.map(async (file) => {
    const module = new URL(file, folder)
    const { targets } = (await import(module.href)) as { targets: readonly FuzzTarget[] }
    return { module, targets }
  }),
)
