import { spawn, type ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startFakeService, type FakeService } from './fake-service.ts'
import { makeFolder, runProgram } from './run-program.ts'

const program = fileURLToPath(new URL('../../bin/proofline.js', import.meta.url))
/** Makes any node believe that it is Debian's. */
const asOldNode = [
  '--import',
  `data:text/javascript,${encodeURIComponent("if (!process.env.PROOFLINE_RESTARTED) Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })")}`,
]

let service: FakeService
let folder: string
beforeEach(async () => {
  service = await startFakeService()
  folder = makeFolder()
})
afterEach(async () => {
  await service.close()
  rmSync(join(folder, '..'), { recursive: true, force: true })
})

const start = (nodeArgs: readonly string[], ...args: string[]): ChildProcess =>
  spawn(process.execPath, [...nodeArgs, program, ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, PROOFLINE_URL: service.url },
  })
const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)))
const asked = async (): Promise<void> => {
  while (service.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('bin/proofline.js', () => {
  it.each([
    ['this node', []],
    ['a node that is too old, by the one in node_modules', asOldNode],
  ] as const)('passes on exit codes and signals under %s', async (_, node) => {
    expect(await ended(start(node, 'verify', '--key', 'nonsense'))).toBe(2)
    service.failNext('/v1/status', 503)
    expect(await ended(start(node, 'status'))).toBe(4)
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      service.requests.length = 0
      service.failNext('/v1/status', 'hang')
      const child = start(node, 'status')
      await asked()
      child.kill(signal)
      expect(await ended(child)).toBe(code)
    }
  })

  it('says which node is needed when it finds none', async () => {
    const child = spawn(
      process.execPath,
      ['--import', asOldNode[1]!.replace('if%20(!process.env.PROOFLINE_RESTARTED)%20', ''), program, 'status'],
      { cwd: folder, env: { PROOFLINE_RESTARTED: '1' } },
    )
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    expect(await ended(child)).toBe(2)
    expect(said).toMatch(/^proofline: node 20\.20\.2 is too old: 22\.19 or later of 22, or 24\.6 or later, is needed/)
  })
})

describe('proofline', () => {
  it('tells its version and its commands, and takes anything unknown for a mistake of usage', async () => {
    expect(await runProgram(folder, ['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    })
    const help = await runProgram(folder, ['--help'])
    expect(help.code).toBe(0)
    for (const name of [
      'serve',
      'signer',
      'push',
      'seal',
      'feed',
      'artifact',
      'status',
      'verify',
      'token',
      'migrate',
      'config',
      'destinations',
      'openapi',
    ]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    }
    expect(await runProgram(folder, ['pusch'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('Did you mean push?') as string,
    })
    expect((await runProgram(folder, ['push', '--nothing'])).code).toBe(2)
    expect((await runProgram(folder, [])).code).toBe(2)
  })

  it('shows where an error came from with PROOFLINE_DEBUG only', async () => {
    const env = { PROOFLINE_URL: 'ftp://x' }
    expect(await runProgram(folder, ['status'], env)).toEqual({
      code: 2,
      stdout: '',
      stderr: 'proofline: ftp://x is not an http or https address [request_invalid]\n',
    })
    expect((await runProgram(folder, ['status'], { ...env, PROOFLINE_DEBUG: '1' })).stderr).toMatch(/^ {4}at /m)
  })
})
