import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PackTrust } from '../../src/verify/pack-log-check.ts'
import { createTimestampRequest, readTimestampReply, verifyTimestamp } from '../../src/verify/timestamp.ts'
import { type Tsa, startTsa } from '../support/tsa.ts'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openPackFile } from '../../src/commands/pack-file.ts'
import { isStatementKey } from '../../src/log/statement.ts'
import { Problem } from '../../src/record/problem.ts'
import { encodeRecord, openRecord } from '../../src/record/record.ts'
import { checkFiles } from '../../src/verify/pack-files-check.ts'
import { type PackScope, knownRules, packRules } from '../../src/verify/pack-format.ts'
import { type LineRow, foldLines, lineNames, printLineHistory, printLineTable, printRow } from '../../src/verify/pack-lines.ts' // oxfmt-ignore
import { gapNodes } from '../../src/verify/pack-range.ts'
import { checkPack } from '../../src/verify/pack.ts'
import { packNames } from '../../src/verify/pack-format.ts'
import { type PackCheck, readText } from '../../src/verify/pack-source.ts'
import { type Files, type MemoryLog, createMemoryLog, makePack, resign, sourceOf, unzip } from './memory-log.ts'

let log: MemoryLog
let files: Files
let foreign: Files

function fill(into: MemoryLog): void {
  for (let i = 0; i < 9; i++) into.addRun(`ci.${i}.api.unit`, { admitted: i !== 4 })
  for (let i = 0; i < 5; i++) into.addRun(`ci.${i}.api.integration`, { repository: 'github.com/acme/other', files: 2 })
  into.add('main/unit', 'inventory', { repository: 'r', commit: 'c', total: 9, window: { index: 0, of: 3 }, files: [] })
  into.add('main/unit', 'inventory', { repository: 'r', commit: 'c', total: 9, window: { index: 1, of: 3 }, files: [] })
  into.add('main/unit', 'inventory', { repository: 'r', commit: 'c', total: 9, window: { index: 2, of: 3 }, files: [] })
  into.add('main/unit', 'coverage', { run: 'broken.api.unit', part: 'p', ordinal: 0 }) // of a part that was never closed
  into.add('main/unit', 'rejection', { run: 'ci.1.api.unit', repository: 'github.com/acme/payments', reason: 'run_conflict' }) // oxfmt-ignore
  into.add('main/changes', 'build', { repository: 'github.com/acme/payments', build: '=1+1', commit: 'c' })
  const of = { repository: 'github.com/acme/payments', commit: 'c', build: '=1+1' }
  const gate = into.add('main/changes', 'gate', {
    ...of,
    verdict: 'fail',
    reasons: ['below_threshold'],
    enforced: true,
  })
  into.add('main/changes', 'gate', {
    ...of,
    verdict: 'overridden',
    overrides: gate.id,
    reason: 'a leak',
    ticket: 'T-1',
  })
  into.add('main/changes', 'gate', { ...of, verdict: 'pass', reasons: [] })
  into.add('main/changes', 'deployment', { ...of, deployment: 'd1', decision: 'overridden', gate: gate.id })
  into.add('main/changes', 'deployment', { ...of, deployment: 'd2', decision: 'none', gate: null })
  into.add('main/changes', 'deployment', {
    ...of,
    repository: 'github.com/acme/other',
    deployment: 'd2',
    decision: 'fail',
  })
  const note = (subject: string, more: object) => into.add('main/changes', 'disposition', { repository: of.repository, subject, note: 'seen', ...more }) // oxfmt-ignore
  note(`gate:${gate.id}`, { verdict: 'accepted' })
  note('deployment:d2', { until: '2026-10-30', verdict: 'planned' })
  note('run:ci.4.api.unit', { until: '2026-11-01' })
  const sum = {
    access: 'a-1',
    by: 'token:578dff14b20d2f10',
    method: 'token',
    route: 'getRecord',
    repository: of.repository,
  }
  into.add('main/operations', 'access', { ...sum, count: 2, from: '2026-11-01T00:01:00.000000Z', until: '2026-11-01T00:01:50.000000Z' }) // oxfmt-ignore
  const local = { by: { method: 'local', subject: 'uid:1000' }, commanded_at: '2026-11-01T00:02:00.000000Z' }
  into.add('main/operations', 'command', { command: 'token.create', token: '12eeeb874afa32d8', scopes: ['feed'], repositories: ['github.com/acme/*'], expires_at: '2027-01-30T00:00:00.000000Z', ...local, command_id: 'c-1' }) // oxfmt-ignore
  into.add('main/operations', 'command', { command: 'session.revoke', session: 'f4b1', ...local, command_id: 'c-2' })
  into.add('main/operations', 'alert', { alert: 'disk_low:data', n: 1, code: 'disk_low', state: 'opened', detail: 'x' })
}

beforeAll(async () => {
  log = await createMemoryLog()
  fill(log)
  files = await unzip(await makePack(log.sources))
  foreign = await unzip(await makePack(log.sources, { seed: 'another', sample: 2 }))
})

const failed = (checks: readonly PackCheck[]): string[] =>
  checks.filter(({ verdict }) => verdict !== 'ok').map(({ check, detail }) => `${check}: ${detail}`)
const check = async (changed: Files): Promise<string[]> => failed(await checkPack(sourceOf(changed), log.trust))
/** The pack of a server that lies: changed, and signed anew. */
const lie = async (change: (changed: Files) => void): Promise<string[]> => {
  const changed: Files = new Map(files)
  change(changed)
  return check(await resign(changed, log.sign))
}
const textOf = (from: Files, name: string): string => from.get(name)?.toString() ?? ''
const unit = packNames.records('main/unit')

const replace = (changed: Files, name: string, from: string | RegExp, to: string): void => {
  const before = textOf(changed, name)
  const after = before.replace(from, to)
  expect(after, `nothing to replace in ${name}`).not.toBe(before)
  changed.set(name, Buffer.from(after))
}
const linesOf = (from: Files, name: string): string[] => textOf(from, name).split('\n').slice(0, -1)
const setLines = (changed: Files, name: string, lines: readonly string[]): void =>
  void changed.set(name, Buffer.from(lines.map((line) => `${line}\n`).join('')))
/** `GOLDEN=write` makes the newest one again; those of older rules stay as they were made. */
const goldenOf = (rules: string): string => join(import.meta.dirname, `golden-${rules.split('@')[1]}.zip`)
const statementKeys = () => log.trust.keys.filter(isStatementKey)

describe('checkPack', () => {
  it('finds everything proved in a pack as it was made', async () => {
    const checks = await checkPack(sourceOf(files), log.trust)
    expect(failed(checks)).toEqual([])
    expect(checks.find(({ check: name }) => name === 'unit records')?.detail).toMatch(/^30 of 77 records shown/)
    expect(await lie(() => {})).toEqual([])
  })

  it('is made of what is left when the records before it have expired, and says what that leaves open', async () => {
    const earliest = 25 // behind the declaration of a run whose part and seal are left
    const pruned: MemoryLog['sources'] = {
      ...log.sources,
      async *records(ledger, from, until, kinds) {
        if (ledger === 'main/unit' && from < earliest) throw new Problem('expired', 'gone')
        yield* log.sources.records(ledger, from, until, kinds)
      },
      partSeqs: async (ledger, run) =>
        (await log.sources.partSeqs(ledger, run)).filter((seq) => ledger !== 'main/unit' || seq >= earliest),
    }
    const from = new Date((log.records('main/unit')[earliest]?.recordedAt ?? 0) / 1000).toISOString()
    const left = await unzip(await makePack(pruned, { from, sample: 100, stratify: ['test_type'] }))
    expect(left.has('log/unit/before.json')).toBe(false)
    const checks = await checkPack(sourceOf(left), log.trust)
    const notOk = checks.filter(({ verdict }) => verdict !== 'ok')
    expect(notOk.map(({ check: name, verdict }) => [name.replace(/\d+/, 'n'), verdict])).toEqual([['unit period', 'incomplete'], ['sample n', 'incomplete']]) // oxfmt-ignore
    expect(notOk[0]?.detail).toContain('record 24, before the period, is not in the pack')
  })

  it('gives the same bytes for the same question, whenever it is asked', async () => {
    const { as_of, question } = JSON.parse(textOf(files, 'scope.json')) as { as_of: string; question: { to: string } }
    const later = await createMemoryLog()
    fill(later)
    later.addRun('late.api.unit')
    const again = await unzip(await makePack(later.sources, { as_of, to: question.to }))
    expect([...again].map(([name, bytes]) => [name, bytes.toString()])).toEqual([...files].map(([name, bytes]) => [name, bytes.toString()])) // oxfmt-ignore
  })

  it('says over which time a sum of reads goes, and which token or session a command was about', () => {
    const cellsOf = (table: string, wanted: readonly string[]) => {
      const [names = [], ...rows] = textOf(files, `population/${table}.csv`)
        .split('\r\n')
        .slice(0, -1)
        .map((row) => row.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/))
      return rows.map((cells) => wanted.map((name) => cells[names.indexOf(name)]))
    }
    expect(cellsOf('access', ['count', 'from', 'until'])).toEqual([
      ['2', '2026-11-01T00:01:00.000000Z', '2026-11-01T00:01:50.000000Z'],
    ])
    expect(cellsOf('commands', ['command', 'command_id', 'token', 'session'])).toEqual([
      ['token.create', 'c-1', '12eeeb874afa32d8', ''],
      ['session.revoke', 'c-2', '', 'f4b1'],
    ])
  })

  it.each(knownRules)('verifies the golden pack of the rules %s for ever', async (rules) => {
    if (process.env['GOLDEN'] === 'write' && rules === packRules) await writeFile(goldenOf(rules), await makePack(log.sources)) // oxfmt-ignore
    const source = await openPackFile(goldenOf(rules))
    expect(await readText(source, 'scope.json')).toContain(`"rules": "${rules}"`)
    expect(failed(await checkPack(source, log.trust))).toEqual([])
    source.close()
  })

  it('says by which rules it cannot make tables, and checks the rest', async () => {
    const changed = await lie((of) => replace(of, 'scope.json', packRules, 'evidence@99'))
    expect(changed).toEqual([`tables: they were made by the rules evidence@99, this program knows ${knownRules.join(', ')}`])
  }) // oxfmt-ignore

  it('is the format of the golden pack of its rules', async () => {
    const kept = await unzip(await readFile(goldenOf(packRules)))
    for (const name of [...kept.keys()].filter(
      (one) => one !== 'README.md' && one !== 'limits.md' && one !== 'controls.csv' && !/^(?:SHA|manifest)/.test(one),
    ))
      // oxfmt-ignore
      expect(textOf(files, name), name).toBe(textOf(kept, name))
  })

  it('case 43: names every file that is removed, changed, or swapped with that of another pack', async () => {
    for (const [name, bytes] of files) {
      const without: Files = new Map(files)
      without.delete(name)
      expect(failed(await checkFiles(sourceOf(without), statementKeys())).join(), `without ${name}`).toContain(name)
      const changed: Files = new Map(files).set(name, Buffer.concat([bytes, Buffer.from(' ')]))
      expect(failed(await checkFiles(sourceOf(changed), statementKeys())).length, `${name} changed`).toBeGreaterThan(0)
      const other = foreign.get(name)
      if (other === undefined || other.equals(bytes)) continue
      const swapped: Files = new Map(files).set(name, other)
      expect(failed(await checkFiles(sourceOf(swapped), statementKeys())).length, `${name} swapped`).toBeGreaterThan(0)
    }
  })

  it('case 43: names a file that is there beyond the manifest, and a list of files that another key signed', async () => {
    expect(await check(new Map(files).set('population/more.csv', Buffer.from('x')))).toEqual(['files: extra file population/more.csv']) // oxfmt-ignore
    const others = { keys: log.trust.keys.map((key) => (isStatementKey(key) ? { ...key, id: key.id + 1 } : key)) }
    expect(failed(await checkPack(sourceOf(files), others))).toEqual([]) // by the key record, under the log's own key
    expect(failed(await checkFiles(sourceOf(files), []))[0]).toContain('no statement key is trusted')
  })
})

describe('a server that lies and signs the whole anew', () => {
  it('case 43: left a run out of the population', async () => {
    const keep = (line: string): boolean => !line.includes('"run":"ci.3.api.unit"')
    expect((await lie((changed) => setLines(changed, unit, linesOf(files, unit).filter(keep))))[0]).toBe(
      'unit records: incomplete range: records 24 to 31 are neither shown nor stated as a gap',
    )
    const hashes = (await log.sources.nodes('main/unit', gapNodes(24, 32))).map((hash) => Buffer.from(hash).toString('base64')) // oxfmt-ignore
    const stated = await lie((changed) => {
      setLines(changed, unit, linesOf(files, unit).filter(keep))
      const gaps = linesOf(files, 'log/unit/gaps.ndjson').filter((line) => !line.startsWith('{"from":25,'))
      gaps.splice(3, 0, JSON.stringify({ from: 24, to: 32, hashes }))
      setLines(changed, 'log/unit/gaps.ndjson', gaps)
    })
    expect(stated[0]).toBe('unit records: incomplete range: records 24 to 31 are in the log, but not in the population')
    const inTable = await lie((changed) => replace(changed, 'population/runs.csv', /.*ci\.3\.api\.unit.*\r\n/, ''))
    expect(inTable).toEqual(['tables: population/runs.csv is not what the records give'])
  })

  it('altered a record: with its id as it was, and with the id that fits', async () => {
    const naive = await lie((changed) => replace(changed, unit, '"reason":"run_conflict"', '"reason":"run_unknown"'))
    expect(naive[0]).toMatch(/^unit records: record main\.unit-\d+-[0-9a-f]{16}: payload hashes to/)
    const careful = await lie((changed) => {
      const lines = linesOf(files, unit).map((line) => {
        if (!line.includes('run_conflict')) return line
        const { payload, ...place } = openRecord(Buffer.from(line))
        const altered = Buffer.from(Buffer.from(payload).toString().replace('run_conflict', 'run_unknown'))
        return Buffer.from(encodeRecord(altered, place)).toString()
      })
      setLines(changed, unit, lines)
    })
    expect(careful[0]).toMatch(/^unit records: root-mismatch: records 0 to 76/)
  })

  it('moved the time of a record by a microsecond', async () => {
    const moved = await lie((changed) => replace(changed, unit, '00:00:06.000000Z', '00:00:06.000001Z'))
    expect(moved[0]).toMatch(/^unit records: root-mismatch/)
  })

  it('gave the proof of another record, and a sample that the seed does not give', async () => {
    const proof = await lie((changed) => void changed.set('samples/0001/seal.tlog-proof', files.get('samples/0002/seal.tlog-proof') ?? Buffer.alloc(0))) // oxfmt-ignore
    expect(proof[0]).toMatch(/^sample 1: samples\/0001\/seal\.json: (?:proof-mismatch|origin-mismatch|bad-signature)/)
    const nicer = await lie((changed) => {
      for (const [name, bytes] of foreign) if (name.startsWith('samples/')) changed.set(name, bytes)
    })
    expect(nicer[0]).toMatch(/^sample: drawn again from the seed, the sample is another one/)
    const chosen = await lie((changed) => replace(changed, 'scope.json', /"sha256": "[0-9a-f]{64}"/, `"sha256": "${'0'.repeat(64)}"`)) // oxfmt-ignore
    expect(chosen[0]).toBe('seed: the seed is not the SHA-256 of its text')
    const others = await lie((changed) => changed.set('scope.json', foreign.get('scope.json') ?? Buffer.alloc(0)))
    expect(others.join('\n')).toContain('sample: drawn again')
  })

  it('showed a checkpoint of another size, and one that a key signed which nobody trusts', async () => {
    const older = await log.sources.checkpoints.atOrAfter('main/unit', 70)
    const smaller = await lie((changed) => changed.set('log/unit/checkpoint', Buffer.from(older?.note ?? '')))
    expect(smaller[0]).toMatch(/^unit checkpoint: expected size 77 and root \S+ as scope.json says, found 70/)
    const grown = await lie((changed) => replace(changed, 'log/unit/checkpoint', '\n77\n', '\n78\n'))
    expect(grown[0]).toMatch(/^unit checkpoint: bad signature for key logs\.example\/main\/unit/)
    const replayed = await lie((changed) => changed.set('log/unit/checkpoint', files.get('log/integration/checkpoint') ?? Buffer.alloc(0))) // oxfmt-ignore
    expect(replayed[0]).toMatch(/^unit checkpoint: origin mismatch: expected logs\.example\/main\/unit/)
    const forked = await lie((changed) => replace(changed, 'log/unit/consistency.end-newest', /old \d+/, 'old 12'))
    expect(forked[0]).toMatch(/^unit consistency: consistency.end-newest/)
  })

  it('cut the period short, or left a whole ledger out', async () => {
    const whole = await unzip(await makePack(log.sources, { to: '2026-11-01T00:01:00Z' }))
    expect(failed(await checkPack(sourceOf(whole), log.trust))).toEqual([])
    const cut: Files = new Map(whole)
    replace(cut, 'scope.json', '"to": "2026-11-01T00:01:00.000000Z"', '"to": "2026-11-01T00:01:30.000000Z"')
    expect((await check(await resign(cut, log.sign)))[0]).toMatch(/^unit period: record \d+ belongs to the period and is not in it/) // oxfmt-ignore
    const without = await lie((changed) => {
      const scope = JSON.parse(textOf(changed, 'scope.json')) as { ledgers: { ledger: string }[] }
      const ledgers = scope.ledgers.filter(({ ledger }) => ledger !== 'main/integration')
      changed.set('scope.json', Buffer.from(JSON.stringify({ ...scope, ledgers })))
      for (const name of changed.keys()) if (name.includes('/integration')) changed.delete(name)
    })
    expect(without[0]).toBe('keys: not in the pack: logs.example/main/integration, whose keys you trust')
  })

  it('case 36: altered or lost a report: the proof of the record stands', async () => {
    const name = [...files.keys()].find((one) => one.startsWith('artifacts/')) ?? ''
    expect((await lie((changed) => changed.set(name, Buffer.from('TN:\n'))))[0]).toContain(`blob-mismatch ${name}`)
    const lost = await lie((changed) => void changed.delete(name))
    expect(lost).toEqual([expect.stringMatching(/^sample \d: ci\.\d\.api\.\w+: its records are proved; not in the pack/)]) // oxfmt-ignore
  })

  it('said something else in an attestation, a table, a sum or the page', async () => {
    const name = 'samples/0001/attestations.intoto.jsonl'
    const swapped = await lie((changed) => changed.set(name, files.get('samples/0002/attestations.intoto.jsonl') ?? Buffer.alloc(0))) // oxfmt-ignore
    expect(swapped[0]).toBe('sample 1: attestation 1 of samples/0001 says something else than the records')
    for (const [table, from, to] of [
      ['exceptions.csv', /not counted.*\r\n/, ''],
      ['completeness.json', '"counted": 13', '"counted": 14'],
      ['report.html', '13 counted', '14 counted'],
    ] as const)
      expect(await lie((changed) => replace(changed, table, from, to))).toEqual([`tables: ${table} is not what the records give`]) // oxfmt-ignore
    expect((await lie((changed) => replace(changed, packNames.keys, /^.*\n/, '')))[0]).toMatch(/^keys: log\/keys\.txt names other keys/) // oxfmt-ignore
  })

  it('shows checkpoints that the witnesses of the reader have not cosigned, or says so of its seed', async () => {
    const found = failed(await checkPack(sourceOf(files), { ...log.trust, isQuorum: () => false }))
    expect(found[0]).toBe('unit checkpoint: checkpoint is cosigned by 0 known witnesses, which is no quorum') // oxfmt-ignore
    const seed = await lie((changed) => replace(changed, 'scope.json', '"from": "root"', '"from": "witnessed root"'))
    expect(seed[0]).toBe('seed: the root of main/unit is said to be witnessed: give the policy that says by whom')
  })

  it('is an older server whose key was retired', async () => {
    const keys = log.trust.keys.map((key) => (key.name === 'logs.example/main/unit' ? { ...key, until: 50 } : key))
    expect(failed(await checkPack(sourceOf(files), { keys }))[0]).toMatch(/retired key logs\.example\/main\/unit/)
  })
})

describe('time-stamps in a pack', () => {
  let tsa: Tsa
  let stamped: Files
  beforeAll(async () => {
    tsa = await startTsa({ key: 'ec' })
    const stamp = async (size: number) => {
      const { note } = (await log.sources.checkpoints.atOrAfter('main/unit', size)) ?? { note: '' }
      const { request } = await createTimestampRequest(Buffer.from(note))
      return { size, note, token: await readTimestampReply(await tsa.reply(request)) }
    }
    const stamps = [await stamp(75), await stamp(77)]
    stamped = await unzip(await makePack({ ...log.sources, timestamps: async (ledger) => (ledger === 'main/unit' ? stamps : []) })) // oxfmt-ignore
  })
  afterAll(() => tsa.close())
  const trusting = (): PackTrust => ({
    ...log.trust,
    verifyTimestamp: async (token, note) => (await verifyTimestamp(token, note, tsa.ca)).signer,
  })

  it('are verified against an authority that the reader brings, and by openssl with the command of the README', async () => {
    const checks = await checkPack(sourceOf(stamped), trusting())
    expect(failed(checks)).toEqual([])
    expect(checks.filter(({ check: name }) => name === 'unit time-stamp').map(({ detail }) => detail)).toEqual(['the period up to record 74 was there at Test TSA', 'all of the period was there at Test TSA']) // oxfmt-ignore
    expect(textOf(stamped, 'README.md')).toContain(
      'openssl ts -verify -token_in -in "$token" -data "${token%.tst}.note"',
    )
    const write = async (name: string): Promise<string> => {
      await writeFile(join(tsa.folder, name), stamped.get(`log/unit/${name}`) ?? '')
      return join(tsa.folder, name)
    }
    const args = ['ts', '-verify', '-token_in', '-in', await write('stamp-1.tst'), '-data', await write('stamp-1.note'), '-CAfile', tsa.caFile] // oxfmt-ignore
    expect(execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })).toContain('Verification: OK')
  })

  it('are not believed over another note, and not passed over where no authority is trusted', async () => {
    const other: Files = new Map(stamped)
    for (const part of ['note', 'consistency']) other.set(`log/unit/stamp-1.${part}`, stamped.get(`log/unit/stamp-2.${part}`) ?? Buffer.alloc(0)) // oxfmt-ignore
    const found = failed(await checkPack(sourceOf(await resign(other, log.sign)), trusting()))
    expect(found).toEqual(['unit time-stamp: the token is about other bytes than this checkpoint'])
    const without = (await checkPack(sourceOf(stamped), log.trust)).filter(({ verdict }) => verdict !== 'ok')
    expect(without.map(({ verdict }) => verdict)).toEqual(['incomplete', 'incomplete'])
  })
})

describe('the history of a file in a pack', () => {
  const asked = { repository: 'github.com/acme/payments', path: 'src/f2.ts', lines: '2-4', sample: 0 }
  let own: MemoryLog
  let history: Files
  const lieAbout = async (change: (changed: Files) => void): Promise<string[]> => {
    const changed: Files = new Map(history)
    change(changed)
    return failed(await checkPack(sourceOf(await resign(changed, own.sign)), own.trust))
  }
  /** Changes rows, and makes everything that follows from them again, as a careful liar would. */
  const withRows = (changed: Files, change: (rows: LineRow[]) => LineRow[]): void => {
    const { question } = JSON.parse(textOf(changed, 'scope.json')) as PackScope
    const rows = change(linesOf(changed, lineNames.rows).map((line) => JSON.parse(line) as LineRow))
    changed.set(lineNames.rows, Buffer.from(rows.map(printRow).join('')))
    changed.set(lineNames.table, Buffer.from(printLineTable(rows)))
    changed.set(lineNames.history, Buffer.from(printLineHistory(question, foldLines(rows))))
  }

  beforeAll(async () => {
    own = await createMemoryLog()
    for (let i = 0; i < 20; i++)
      own.addRun(`ci.${i}.api.unit`, { state: i < 12 ? '1-3' : '1-2', files: i === 15 ? 2 : 3 })
    own.add('main/unit', 'linemap', { repository: asked.repository, path: asked.path, blob: 'b', from: { path: 'old.ts', blob: 'a' }, hunks: '' }) // oxfmt-ignore
    history = await unzip(await makePack(own.sources, asked))
  })

  it('has an interval for each state, its first and last record proved, and the runs that did not measure it', async () => {
    const { intervals } = JSON.parse(textOf(history, lineNames.history)) as { intervals: { state: string; runs: number; first: { run: string } }[] } // oxfmt-ignore
    expect(intervals.map(({ state, runs, first }) => [state.replace(/ \[.*/, ''), runs, first.run])).toEqual([
      ['covered 2-3; missed 4', 12, 'ci.0.api.unit'],
      ['covered 2; missed 4', 3, 'ci.12.api.unit'],
      ['not measured', 1, 'ci.15.api.unit'],
      ['covered 2; missed 4', 4, 'ci.16.api.unit'],
    ])
    const checks = await checkPack(sourceOf(history), own.trust)
    expect(failed(checks)).toEqual([])
    expect(checks.find(({ check: name }) => name === 'lines')?.detail).toBe('20 rows in 4 intervals; every change is proved at its first and last record; 1 line maps') // oxfmt-ignore
    expect(textOf(history, 'limits.md')).toContain('proved where it changes')
  })

  it('is found out when a change is moved, hidden at its points, or told of another record', async () => {
    const moved = await lieAbout((changed) => withRows(changed, (rows) => rows.map((row, i) => (i === 12 ? { ...row, state: rows[0]?.state ?? '' } : row)))) // oxfmt-ignore
    expect(moved[0]).toMatch(/^lines: (?:lines\/points\/unit-\d+\.json is missing|ci\.12\.api\.unit: the records say)/)
    const better = await lieAbout((changed) => withRows(changed, (rows) => rows.map((row) => ({ ...row, state: rows[0]?.state ?? '' })).filter(({ records }) => records.length > 0))) // oxfmt-ignore
    expect(better[0]).toMatch(/^lines: ci\.19\.api\.unit: the records say covered 2; missed 4/)
    const counted = await lieAbout((changed) =>
      withRows(changed, (rows) => rows.map((row) => ({ ...row, counted: false }))),
    )
    expect(counted[0]).toMatch(/^lines: record \d+ is not the end of ci\.0\.api\.unit/)
    const table = await lieAbout((changed) => replace(changed, lineNames.table, 'ci.3.api', 'ci.33.api'))
    expect(table).toEqual(['lines: lines/runs.csv is not what its rows give'])
    const id = await lieAbout((changed) => replace(changed, lineNames.rows, /"main\.unit-\d+-[0-9a-f]{16}"\],"state":"covered 2-3/, '"main.unit-1-0000000000000000"],"state":"covered 2-3')) // oxfmt-ignore
    expect(id[0]).toBe('lines: lines/history.json is not what its rows give')
  })
})

describe('a pack about a deployment', () => {
  const ask = async (question: object): Promise<Files> => unzip(await makePack(log.sources, question))

  it('shows the commit that was deployed, with everything that was decided about it, and is verified', async () => {
    const deployed = await ask({ deployment: 'd1' })
    expect(await check(deployed)).toEqual([])
    expect(JSON.parse(textOf(deployed, 'scope.json'))).toMatchObject({
      selection: 'part', question: { deployment: 'd1', repository: 'github.com/acme/payments', commit: 'c' },
    }) // oxfmt-ignore
    const kinds = linesOf(deployed, packNames.records('main/changes')).map((line) => (JSON.parse(line) as { kind: string }).kind) // oxfmt-ignore
    expect(kinds).toEqual(['build', 'gate', 'gate', 'gate', 'deployment', 'deployment', 'disposition', 'disposition', 'disposition']) // oxfmt-ignore
  })

  it.each([
    ['is not there', { deployment: 'none' }, 'not_found'],
    ['is one of several repositories', { deployment: 'd2' }, 'request_invalid'],
    ['is asked for with a commit beside it', { deployment: 'd1', commit: 'c' }, 'request_invalid'],
  ])('is refused where it %s', async (_why, question, code) => {
    await expect(makePack(log.sources, question)).rejects.toMatchObject({ code })
  })

  it('is found where its repository is told', async () => {
    const { question } = JSON.parse(textOf(await ask({ deployment: 'd2', repository: 'github.com/acme/other' }), 'scope.json')) as PackScope // oxfmt-ignore
    expect(question).toMatchObject({ repository: 'github.com/acme/other', commit: 'c' })
  })
})

describe('the tables of a pack', () => {
  it('list each run once, counted or with its reason, and do not become formulas', () => {
    const rows = textOf(files, 'population/runs.csv').split('\r\n').slice(1, -1)
    expect(rows).toHaveLength(14)
    expect(rows.filter((row) => row.includes(',counted,'))).toHaveLength(13)
    expect(rows.find((row) => row.includes('ci.4.api.unit'))).toContain('not counted,"[""tests_failed""]"')
    expect(textOf(files, 'population/builds.csv')).toContain(",'=1+1,")
    expect(textOf(files, 'population/losses.csv').split('\r\n')).toHaveLength(2)
  })

  it('list gates, overrides and deployments without pass as exceptions, each with the note that stands', () => {
    const rows = textOf(files, 'exceptions.csv').split('\r\n').slice(1, -1)
    const short = rows.map((row) => [row.split(',')[0], row.slice(row.lastIndexOf(',') + 1).replace(/main\.changes-(\d+)-\w+/, '$1')]) // oxfmt-ignore
    expect(short).toEqual([
      ['not counted', '9 seen'],
      ['refused', ''],
      ['gate failed', '7 accepted: seen'],
      ['gate overridden', '7 accepted: seen'],
      ['deployed without pass', '8 (lapsed 2026-10-30) planned: seen'],
      ['deployed without pass', ''], // d2 of another repository
      ['open alert', ''],
    ])
    expect(textOf(files, 'population/gates.csv').split('\r\n')[0]).toContain(',verdict,reasons,enforced,')
    expect(textOf(files, 'population/deployments.csv').split('\r\n')).toHaveLength(5)
  })
})
