import { describe, expect, it } from 'vitest'
import { recordKinds } from '../../src/record/record.ts'
import { dashboardQueries, readConf } from './splunk-conf.ts'

const searches = [...readConf('savedsearches.conf')].map(
  ([name, stanza]) => [name, stanza.get('search') ?? ''] as const,
)
const queries = dashboardQueries()
const all = [...searches.map(([, search]) => search), ...queries, ...[...readConf('eventtypes.conf').values()].map((stanza) => stanza.get('search') ?? '')] // oxfmt-ignore

describe('the add-on for Splunk', () => {
  it('has a sourcetype for every kind of record', () => {
    const stanzas = new Set(readConf('props.conf').keys())
    expect(recordKinds.filter((kind) => !stanzas.has(`proofline:${kind}`))).toEqual([])
  })

  it('asks for sourcetypes, indexed fields and macros that there are', () => {
    const fields = readConf('fields.conf')
    const macros = readConf('macros.conf')
    const sourcetypes = readConf('props.conf')
    for (const search of all) {
      expect(search).not.toBe('')
      for (const [, name = ''] of search.matchAll(/`([^`(]+)`/g)) expect([...macros.keys()], search).toContain(name)
      for (const [name] of search.matchAll(/\bproofline:\w+/g)) expect([...sourcetypes.keys()], search).toContain(name)
      for (const [, name = ''] of search.matchAll(/\b(proofline_(?!index|silence)\w+)/g)) expect([...fields.keys()], search).toContain(name) // oxfmt-ignore
    }
  })

  it('has balanced brackets, quotes and parentheses in every search', () => {
    for (const search of all) {
      const open: string[] = []
      for (const [c] of search.replaceAll(/"[^"]*"/g, '').matchAll(/[()[\]{}]/g)) {
        if ('([{'.includes(c)) open.push(c)
        else expect(`${open.pop() ?? ''}${c}`, search).toMatch(/^(?:\(\)|\[\]|\{\})$/)
      }
      expect(open, search).toEqual([])
      expect((search.match(/"/g) ?? []).length % 2, search).toBe(0)
    }
  })

  it('schedules every search that finds something wrong, and tells', () => {
    for (const [name, stanza] of readConf('savedsearches.conf')) {
      if (name === 'Proofline - runs that do not count') continue
      expect([stanza.get('enableSched'), stanza.get('alert.track'), stanza.get('quantity')], name).toEqual([
        '1',
        '1',
        '0',
      ])
      expect(stanza.get('cron_schedule'), name).toMatch(/^\S+ \S+ \S+ \S+ \S+$/)
    }
  })
})
