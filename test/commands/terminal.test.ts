import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type Terminal, createTerminal } from '../../src/commands/terminal.ts'
import { createSections } from '../../src/formats/sections.ts'
import { namePart } from '../../src/producer/part-error.ts'
import type { Plan } from '../../src/producer/upload.ts'
import { Problem } from '../../src/record/problem.ts'

function run<T>(json: boolean, work: (terminal: Terminal) => T): { exit: T; stdout: string; stderr: string } {
  const texts = ['', '']
  const into = (at: number): Writable =>
    new Writable({
      write(chunk: Buffer, _, done) {
        texts[at] += chunk.toString()
        done()
      },
    })
  const exit = work(createTerminal({ stdout: into(0), stderr: into(1), json, debug: false }))
  return { exit, stdout: texts[0] ?? '', stderr: texts[1] ?? '' }
}
const fail = (error: unknown) => run(true, (terminal) => terminal.fail(error))
const thrownBy = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('terminal.fail', () => {
  it('tells of an authority that is not known how to name it', () => {
    const unknown = new Problem('unavailable', 'cannot reach it', { extra: { errno: 'SELF_SIGNED_CERT_IN_CHAIN' } })
    expect(fail(unknown).stderr).toContain('NODE_EXTRA_CA_CERTS=FILE')
    expect(fail(new Problem('unavailable', 'cannot reach it')).stderr).not.toContain('NODE_EXTRA_CA_CERTS')
  })

  it('tells of a report with several sections how to name one, and of any other choice how to name the format', () => {
    const sections = createSections(undefined)
    for (const name of ['RSpec', 'Minitest']) sections.isWanted(name)
    const { exit, stderr } = fail(thrownBy(() => sections.end()))
    expect(exit).toBe(2)
    expect(stderr).toMatch(/^proofline: the report has the results of 2 suites: .*"RSpec", "Minitest"/)
    expect(stderr).toContain("\n  name the section with --section NAME, or all of them together with --section '*'\n")
    expect(stderr).not.toContain('--format')
    expect(fail(new Problem('report_ambiguous', 'it could be lcov or go')).stderr).toContain('--format NAME')
  })

  it('names the file of several that it is about, and what of the run is recorded', () => {
    const parts = ['a', 'b'].map((name) => ({ query: { name }, artifact: { file: `/x/${name}.info` } }))
    const plan = { run: 'nightly.default.unit', parts } as unknown as Plan
    const error = namePart(new Problem('report_empty', 'it is empty'), plan.parts[1]!, plan, ['a'])
    const { stdout, stderr } = fail(error)
    expect(stderr).toBe(
      'proofline: /x/b.info (part b): it is empty. The run nightly.default.unit stays open; recorded of it: a [report_empty]\n',
    )
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'report_empty', run: 'nightly.default.unit', part: 'b', file: '/x/b.info', recorded: ['a'] },
    })
  })

  it('says what is missing where there is no such file', () => {
    const error = Object.assign(new Error("ENOENT: no such file or directory, open 'nofile'"), {
      code: 'ENOENT',
      syscall: 'open',
      path: 'nofile',
    })
    expect(fail(error)).toMatchObject({ exit: 2, stderr: 'proofline: there is no file nofile [request_invalid]\n' })
  })
})

describe('what a terminal is given', () => {
  const hostile = 'suite \u001b[2J\u009b31m\u202egnp.exe\r\b'
  // oxlint-disable-next-line no-control-regex -- those that must not be there
  const harmful = /[\u001b\u009b\u202e\r\b]/

  it('holds nothing that moves its cursor or turns its writing around, whoever sent it; JSON is left as it is', () => {
    const text = run(false, (terminal) => {
      terminal.print({ hostile }, () => `one\t${hostile}\ntwo`)
      terminal.say(hostile)
      return terminal.fail(new Problem('not_found', hostile))
    })
    expect(text.stdout).toMatch(/^one\tsuite .*\ntwo\n$/)
    expect(text.stdout).not.toMatch(harmful)
    expect(text.stderr).not.toMatch(harmful)
    expect(JSON.parse(run(true, (terminal) => terminal.print({ hostile }, () => '')).stdout)).toEqual({ hostile })
  })
})
