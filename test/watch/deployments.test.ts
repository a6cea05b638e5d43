import { describe, expect, it } from 'vitest'
import { createDeploymentsKnown } from '../../src/watch/deployments.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const repository = 'github.com/acme/pay'
const commit = 'c'.repeat(40)
const known = (...records: { kind: 'deployment' | 'gate' | 'disposition'; fields: object; of?: string }[]) => {
  const all = createDeploymentsKnown()
  for (const { kind, fields, of = repository } of records) all.add({ kind, repository: of, fields: JSON.stringify({ repository: of, ...fields }) }) // oxfmt-ignore
  return all.findings(now).map(({ subject, detail }) => `${subject}: ${detail}`)
}
const deployed = (more: object) => ({ kind: 'deployment' as const, fields: { deployment: 'd1', environment: 'production', commit, decision: 'fail', enforced: true, gate: 'g1', ...more } }) // oxfmt-ignore
const disposed = (more: object = {}, id = 'd1') => ({ kind: 'disposition' as const, fields: { target: { kind: 'deployment', id }, ...more } }) // oxfmt-ignore
const told = [`${repository} d1: cccccccccccc went to production, and the gate said fail (g1)`]

describe('createDeploymentsKnown', () => {
  it('tells of a deployment that no gate let pass, where the contract enforces', () => {
    expect(known(deployed({}))).toEqual(told)
    expect(known(deployed({ decision: 'none', gate: null }))).toEqual([`${repository} d1: cccccccccccc went to production, and no gate was asked`]) // oxfmt-ignore
    for (const more of [{ decision: 'pass' }, { decision: 'overridden' }, { enforced: false }])
      expect(known(deployed(more))).toEqual([])
  })

  it('until the gate that it names is overridden', () => {
    expect(known(deployed({}), { kind: 'gate', fields: { overrides: 'g1' } })).toEqual([])
    expect(known(deployed({}), { kind: 'gate', fields: { overrides: 'g2' } })).toEqual(told)
    expect(known(deployed({}), { kind: 'gate', fields: { verdict: 'pass' } })).toEqual(told)
  })

  it('or somebody disposes of it, to the end of the last day for which that was said', () => {
    expect(known(deployed({}), disposed())).toEqual([])
    expect(known(deployed({}), disposed({ until: '2026-11-30' }))).toEqual([])
    expect(known(deployed({}), disposed({ until: '2026-11-29' }))).toEqual(told)
    expect(known(deployed({}), disposed({ until: '2026-11-29' }), disposed())).toEqual([])
    expect(known(deployed({}), disposed(), disposed({ until: '2026-11-29' }))).toEqual([])
    expect(known(deployed({}), disposed({}, 'd2'))).toEqual(told)
    expect(known(deployed({}), { ...disposed(), of: 'github.com/acme/other' })).toEqual(told)
  })
})
