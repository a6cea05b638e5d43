import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const all = Array.from({ length: 58 }, (_, i) => i + 1)

/** The numbers that names of tests begin with: `case 3, 4: ...`. */
async function numbersInTests(): Promise<Set<number>> {
  const root = join(import.meta.dirname, '..')
  const numbers = new Set<number>()
  for await (const file of glob('**/*.test.ts', { cwd: root })) {
    if (join(root, file) === import.meta.filename) continue
    const text = await readFile(join(root, file), 'utf8')
    for (const [, list = ''] of text.matchAll(/['"`]case (\d+(?:, \d+)*): /g))
      for (const number of list.split(', ')) numbers.add(Number(number))
  }
  return numbers
}

it('every hard case of delivery, 1 to 58, has a test that bears its number', async () => {
  const numbers = await numbersInTests()
  expect(all.filter((number) => !numbers.has(number))).toEqual([])
  expect([...numbers].filter((number) => !all.includes(number))).toEqual([])
})
