import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseTests, readJunit } from '../../src/producer/junit.ts'
import { makeFolder, write } from '../commands/run-program.ts'

let folder: string
beforeEach(() => (folder = makeFolder()))
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

describe('readJunit', () => {
  it('counts test cases, whatever the report claims, and a rerun that passed as passed', async () => {
    write(
      folder,
      'r.xml',
      `<?xml version="1.0"?><testsuites tests="1"><testsuite tests="1">
        <testcase name="plain"/>
        <testcase name="output"><system-out><![CDATA[<failure/>]]></system-out></testcase>
        <testcase name="failed"><failure message="&lt;x&gt;"><skipped/></failure><rerunFailure/></testcase>
        <testcase name="broken"><error/></testcase>
        <testcase name="flaky"><flakyFailure/></testcase>
        <testcase name="skipped"><skipped/></testcase>
        <testcase name="inner"><properties><property name="error"/></properties></testcase>
      </testsuite></testsuites>`,
    )
    expect(await readJunit(['*.xml'], folder)).toEqual({ total: 7, passed: 4, failed: 2, skipped: 1 })
  })

  it('counts a file once that two matches of one pattern name, and adds files up', async () => {
    write(folder, 'a/r.xml', '<testsuite><testcase/></testsuite>')
    write(folder, 'b/r.xml', '<testsuite><testcase/></testsuite>')
    expect(await readJunit(['**/r.xml'], folder)).toMatchObject({ total: 2 })
  })

  it('refuses a pattern that matches nothing, and a file that is no XML', async () => {
    await expect(readJunit(['no-*.xml'], folder)).rejects.toThrow(/matches no file/)
    write(folder, 'cut.xml', '<testsuite><testcase>')
    await expect(readJunit(['cut.xml'], folder)).rejects.toThrow(/cut\.xml is no JUnit XML/)
  })
})

describe('parseTests', () => {
  it('reads total,passed,failed,skipped and demands that they add up', () => {
    expect(parseTests('3,1,1,1')).toEqual({ total: 3, passed: 1, failed: 1, skipped: 1 })
    for (const text of ['3,1,1', '3,1,1,2', '-1,0,0,-1', 'a,b,c,d', ''])
      expect(() => parseTests(text)).toThrow(/--tests/)
  })
})
