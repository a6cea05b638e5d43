import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const splunkFolder = join(import.meta.dirname, '../../deploy/splunk/TA-proofline')

/** Stanzas of a .conf file: name -> settings. Throws on a line that is neither, and on a stanza or setting that stands twice. */
export function readConf(name: string): Map<string, Map<string, string>> {
  const stanzas = new Map<string, Map<string, string>>()
  let stanza: Map<string, string> | undefined
  for (const line of readFileSync(join(splunkFolder, 'default', name), 'utf8').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const head = /^\[(.*)\]$/.exec(line)?.[1]
    if (head !== undefined) {
      if (stanzas.has(head)) throw new Error(`${name}: [${head}] stands twice`)
      stanzas.set(head, (stanza = new Map()))
      continue
    }
    const [, key, value] = /^([\w.-]+) = (.+)$/.exec(line) ?? []
    if (stanza === undefined || key === undefined || value === undefined) throw new Error(`${name}: ${line}`)
    if (stanza.has(key)) throw new Error(`${name}: ${key} stands twice`)
    stanza.set(key, value)
  }
  return stanzas
}

/** Every search of the dashboards. */
export function dashboardQueries(): string[] {
  const views = join(splunkFolder, 'default/data/ui/views')
  const text = readdirSync(views).map((name) => readFileSync(join(views, name), 'utf8'))
  return text.flatMap((view) =>
    [...view.matchAll(/<query>([^<]*)<\/query>/g)].map(([, query = '']) =>
      query.replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&'),
    ),
  )
}
