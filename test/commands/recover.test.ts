import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeFolder, runProgram } from './run-program.ts'

let folder: string
beforeEach(() => {
  folder = makeFolder()
})
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

describe('proofline recover', () => {
  it('makes neither keys nor a database where there are none, and calls nothing whole', async () => {
    for (const args of [['recover'], ['recover', '--dry-run']]) {
      const { code, stdout, stderr } = await runProgram(folder, args)
      expect(stderr).toContain('there are no keys in')
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    }
    expect(existsSync(join(folder, '.proofline'))).toBe(false)
  })
})
