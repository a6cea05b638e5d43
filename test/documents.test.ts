import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Links, anchors and paths in the documents lead somewhere. */

const root = join(import.meta.dirname, '..')
const documents = ['docs', 'deploy']
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`))
  .concat(readdirSync(root))
  .filter((name) => name.endsWith('.md'))
  .toSorted() // oxfmt-ignore

/** As readers of Markdown in browsers make them. */
const anchorOf = (heading: string): string =>
  heading.toLowerCase().replace(/[`*]|\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-') // oxfmt-ignore
const anchorsOf = (text: string): string[] => [...text.matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = '']) => anchorOf(heading)) // oxfmt-ignore

describe.each(documents)('%s', (name) => {
  const text = readFileSync(join(root, name), 'utf8')

  it('links to what is there', () => {
    const broken = [...text.matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)/g)].filter(([, path = '', anchor]) => {
      const file = path === '' ? join(root, name) : resolve(root, dirname(name), path)
      if (!existsSync(file)) return true
      return anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).includes(anchor)
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })

  it('names files of src, test, bench, migrations and deploy that are there', () => {
    const named = [...text.matchAll(/`((?:src|test|bench|migrations|deploy|docs)\/[\w./-]+)`/g)].map(([, path = '']) => path) // oxfmt-ignore
    expect(named.filter((path) => !existsSync(join(root, path)) && !existsSync(join(root, `${path}.ts`)))).toEqual([])
  })
})
