import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

/**
 * A named statement is prepared once a connection; another text under the same name fails there, on those connections only that had the first
 * one: a fault that shows under load alone.
 */
it('no two statements have the same name', () => {
  const src = join(import.meta.dirname, '../../src')
  const places = new Map<string, string[]>()
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    for (const [, name = ''] of readFileSync(join(src, file), 'utf8').matchAll(/\bname: ['`]([^'`]+)['`],\s*text\b/g))
      places.set(name, [...(places.get(name) ?? []), file])
  }
  expect(places.size).toBeGreaterThan(100)
  expect([...places].filter(([, files]) => files.length > 1)).toEqual([])
})
