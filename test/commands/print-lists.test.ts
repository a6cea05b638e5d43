import { describe, expect, it } from 'vitest'
import { by } from '../../src/api/decisions.ts'
import { count } from '../../src/commands/count.ts'
import { printBy } from '../../src/commands/print-by.ts'
import { cutLists } from '../../src/commands/report-csv.ts'

describe('what lists say to people', () => {
  it('counts one thing and several', () => {
    expect([count(0, 'file'), count(1, 'file'), count(2, 'file')]).toEqual(['0 files', '1 file', '2 files'])
    expect([count(1, 'stretch', 'stretches'), count(3, 'stretch', 'stretches')]).toEqual(['1 stretch', '3 stretches'])
  })

  it('says how somebody was verified, once', () => {
    expect(printBy({ method: 'token', subject: 't1' })).toBe('token t1')
    expect(printBy({ method: 'oidc', subject: 'oidc:9' })).toBe('oidc:9')
  })

  it('says of a table which of its lists end early, and nothing of others', () => {
    const answer = { files: [], not_measured: ['a'], cut: { files: 9, hidden: 7 } }
    expect(cutLists(answer)).toEqual([expect.stringMatching(/^note: 0 of 9 files are in this table/)])
    expect(cutLists({ ...answer, cut: { not_measured: 2 } })).toEqual([
      expect.stringContaining('1 of 2 files that no test'),
    ])
    expect(cutLists({ files: [], not_measured: null, cut: undefined })).toEqual([])
  })

  it('keeps what was weak about a credential', () => {
    const told = { method: 'oidc', subject: 's', weak: ['self_hosted'] }
    expect(by.parse(told)).toEqual(told)
  })
})
