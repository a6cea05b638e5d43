import { basename, join } from 'node:path'
import { type Flavour, setupRequests } from '../../src/delivery/elastic-setup.ts'
import { destinationSettings } from '../../src/delivery/settings.ts'

/** What stands in deploy/elastic of what `destinations setup` sends, so that it can be read, reviewed and put there by other means. */

export const elasticFolder = join(import.meta.dirname, '../../deploy/elastic')

/** Kept as long as twelve months of history need, with a month to spare. */
export const printedSettings = { type: 'elastic', url: 'https://elastic.example', keeps: '400d' } as const

/** Path below deploy/elastic to text. */
export function printElasticFiles(): Map<string, string> {
  const settings = destinationSettings.parse(printedSettings)
  if (settings.type !== 'elastic') throw new Error('it is an Elastic')
  const files = new Map<string, string>()
  for (const flavour of ['elasticsearch', 'opensearch'] satisfies Flavour[]) {
    for (const { path, body } of setupRequests(settings, flavour)) {
      files.set(`${flavour}/${nameOf(path)}.json`, `${JSON.stringify(body, null, 2)}\n`)
    }
  }
  return files
}

function nameOf(path: string): string {
  if (path.startsWith('/_ingest/pipeline/')) return 'pipeline'
  if (path.startsWith('/_index_template/')) return `template-${basename(path).replace('proofline-', '')}`
  return 'lifecycle'
}
