import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { maxPage } from '../src/api/records.ts'
import { readConfig } from '../src/config.ts'
import { maxContractBytes } from '../src/contract/contract.ts'
import { maxExpandedTogether, maxGlobLength } from '../src/contract/glob.ts'
import { jsonLimits } from '../src/formats/json.ts'
import { xmlLimits } from '../src/formats/xml-elements.ts'
import { maxWaitingBytes } from '../src/ledger/append-queue.ts'
import { maxPathBytes, maxStringBytes } from '../src/record/coverage.ts'
import { maxRecordBytes } from '../src/record/record.ts'
import { zstdWindowLog } from '../src/record/zstd-window.ts'

const root = join(import.meta.dirname, '..')
const rows = readFileSync(join(root, 'docs/limits.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| (?!limit |---)/.test(line) && !line.startsWith('|---'))
  .map((line) => {
    const [, name = '', value = '', , proof = ''] = line
      .split(' | ')
      .flatMap((cell, i) => (i === 0 ? ['', cell.replace(/^\| /, '')] : [cell.replace(/ \|$/, '')]))
    return { name: name.replaceAll('`', ''), value, proof }
  })

const { http, intake } = readConfig(undefined, {})
const { workers: _threads, quota: _quota, ...bounds } = intake
const named = (prefix: string, values: object): [string, string][] =>
  Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, String(value)])
const known = new Map([
  ...named('http.limits', http.limits),
  ...named('intake', bounds),
  ['intake.quota.repository_bytes_per_day', 'none'] as const,
  ['intake.quota.total_bytes', 'none'] as const,
  ...named('xml', xmlLimits),
  ...named('json', jsonLimits),
  ...named('record', { maxRecordBytes, maxPathBytes, maxStringBytes }),
  ...named('contract', { maxContractBytes, maxGlobLength, maxExpandedTogether }),
  ...named('zstd-window', { zstdWindowLog }),
  ...named('ledger', { maxWaitingBytes }),
  ...named('api', { maxPage }),
  ['parse threads of one repository', 'all but one'] as const,
  ['parse threads of one credential', 'all but one'] as const,
  ['query parameters', 'those of the route, each once'] as const,
])

it('docs/limits.md has each limit once, with its default', () => {
  expect(rows.map(({ name, value }) => `${name} ${value}`).toSorted()).toEqual([...known].map(([name, value]) => `${name} ${value}`).toSorted()) // oxfmt-ignore
})

it.each(rows.map(({ name, proof }) => [name, proof]))('%s names a test that exists', (_name, proof) => {
  const [, file = '', title = ''] = /^(test\/\S+\.test\.ts): '(.+)'$/.exec(proof) ?? []
  expect(existsSync(join(root, file)) && file !== '', proof).toBe(true)
  expect(readFileSync(join(root, file), 'utf8')).toContain(title)
})
