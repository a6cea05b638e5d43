import { spawn } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, ask, anLcov, cleanEnvironment, cli, pushRun, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

let test: TestDatabase | undefined
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
  await test?.drop()
  test = undefined
})

interface Kept {
  of: string
  vkey: string
  state: string
  from: number | null
  until: number | null
  recorded_at: string | null
}

describe('proofline key', () => {
  it(
    'case 15, 16: rotates and retires keys of a running service with a signer of its own, through kills, and verifiers keep up',
    { timeout: 120_000 },
    async () => {
      const database = (test = await createTestDatabase())
      const folder = await temporaryFolder('keys')
      cleanups.push(folder.remove)
      const path = (...names: string[]): string => join(folder.path, ...names)
      const socket = path('s')
      const startSigner = async () => {
        const signer = spawn(process.execPath, [cli, 'signer', '--socket', socket, '--data-dir', path('signer')], {
          env: cleanEnvironment(folder.path),
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        cleanups.push(async () => void signer.kill('SIGKILL'))
        await new Promise((resolve) => signer.stdout.once('data', resolve))
        return signer
      }
      const start = (name: string): Promise<RunningService> =>
        startServe({ dataDir: path(name), databaseUrl: database.url, env: { PROOFLINE_SIGNER_SOCKET: socket } })

      let signer = await startSigner()
      const a = await start('a')
      cleanups.push(async () => a.signal('SIGKILL'))
      const env = cleanEnvironment(path('a'), { PROOFLINE_URL: a.url, PROOFLINE_TOKEN: a.token })
      const run = (...args: string[]) => runCli(args, { env, cwd: folder.path })
      const list = async (of: string): Promise<Kept[]> => {
        const { keys } = JSON.parse((await run('key', 'list', '--json')).stdout) as { keys: Kept[] }
        return keys.filter((key) => key.of === `main/${of}`)
      }
      let pushed = 0
      const push = async (): Promise<void> => {
        expect(await pushRun(a, `github.${++pushed}.api.unit`, anLcov(pushed))).toMatchObject({ status: 201 })
      }
      const verify = (...args: string[]) => run('verify', a.url, '--ledger', 'unit', ...args)

      await push()
      const [old] = await list('unit')
      expect(old).toMatchObject({ state: 'signing', from: null, until: null, recorded_at: expect.any(String) })
      // The node has copies of what the signer shows to verifiers, also where it cannot read the signer's folder.
      const copy = path('a', 'keys', 'main.unit.vkey')
      expect(await readFile(copy, 'utf8')).toBe(`${old?.vkey}\n`)
      await mkdir(path('auditor', 'keys'), { recursive: true })
      await copyFile(copy, path('auditor', 'keys', 'main.unit.vkey'))

      const rotated = await run('key', 'rotate', 'unit', '--reason', 'yearly')
      expect(rotated, rotated.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('proofline key retire unit') }) // oxfmt-ignore
      await push()
      const [first, second] = await list('unit')
      expect([first?.state, second?.state]).toEqual(['beside', 'signing'])
      // Old only, new only, both.
      expect((await verify('--data-dir', path('auditor'))).code).toBe(0)
      expect((await verify('--key', `${second?.vkey} from=${second?.from}`)).code).toBe(0)
      expect((await verify('--key', `${first?.vkey}`, '--key', `${second?.vkey}`)).code).toBe(0)

      // The signer is killed and comes back with both keys; a second node finds what is on record.
      signer.kill('SIGKILL')
      await new Promise((resolve) => signer.once('exit', resolve))
      signer = await startSigner()
      await push()
      expect((await run('key', 'retire', 'unit', '--reason', 'everybody has it')).code).toBe(0)
      await push()
      const b = await start('b')
      cleanups.push(async () => b.signal('SIGKILL'))
      const [retired] = await list('unit')
      expect(retired).toMatchObject({ state: 'retired', until: expect.any(Number) })
      expect(await readFile(path('b', 'keys', 'main.unit.vkey'), 'utf8')).toBe(`${first?.vkey} until=${retired?.until}\n${second?.vkey} from=${second?.from}\n`) // oxfmt-ignore

      expect((await verify('--data-dir', path('b'))).code).toBe(0)
      expect((await verify('--data-dir', path('auditor'))).code).toBe(1) // told, until he takes the new file
      await copyFile(path('b', 'keys', 'main.unit.vkey'), path('auditor', 'keys', 'main.unit.vkey'))
      expect((await verify('--data-dir', path('auditor'))).code).toBe(0)
      expect((await run('key', 'retire', 'unit', '--reason', 'again')).code).toBe(1)

      // What was asked and what came of it, in this order.
      const feed = await ask(a, '/v1/feed/operations?after=-1&limit=1000&kind=command,key', { headers: { accept: 'application/json' } }) // oxfmt-ignore
      const { records } = feed.body as { records: Record<string, unknown>[] }
      const told = records.filter(({ command }) => command !== 'token.create').map(({ kind, command, key, of, reason, replaces, retires }) => kind === 'command' ? `${String(command)} ${String(key)}: ${String(reason)}` : `${String(of)}${replaces === undefined ? '' : ' replaces'}${retires === undefined ? '' : ' retires'}`) // oxfmt-ignore
      expect(told.slice(5)).toEqual(['key.rotate unit: yearly', 'main/unit replaces', 'key.retire unit: everybody has it', 'main/unit retires']) // oxfmt-ignore

      // A signer with the keys of before the rotation does not get a node to record.
      signer.kill('SIGKILL')
      await new Promise((resolve) => signer.once('exit', resolve))
      await writeFile(path('signer', 'keys', 'main.unit.vkey'), `${second?.vkey}\n`)
      await startSigner()
      await expect(start('c')).rejects.toThrow(/main\/unit was opened with vkey/)
    },
  )

  it(
    'case 48: a guard brought back from a backup does not record until an operator lets it adopt what was signed since',
    { timeout: 120_000 },
    async () => {
      const database = (test = await createTestDatabase())
      const folder = await temporaryFolder('adopt')
      cleanups.push(folder.remove)
      const dataDir = join(folder.path, 'data')
      const env = cleanEnvironment(dataDir, { DATABASE_URL: database.url })
      const adopt = () => runCli(['key', 'adopt', '--data-dir', dataDir, '--reason', 'disk lost', '--json'], { env, cwd: folder.path }) // oxfmt-ignore
      let pushed = 0
      const serve = async <T>(work: (service: RunningService) => Promise<T>): Promise<T> => {
        const service = await startServe({ dataDir, databaseUrl: database.url })
        cleanups.push(async () => service.signal('SIGKILL'))
        try {
          return await work(service)
        } finally {
          service.signal('SIGTERM')
          await service.ended
        }
      }
      const push = (service: RunningService) => pushRun(service, `github.${++pushed}.api.unit`, anLcov(pushed))

      expect(await serve(push)).toMatchObject({ status: 201 })
      const backup = join(folder.path, 'backup')
      await cp(join(dataDir, 'guard'), backup, { recursive: true })
      expect(await serve(push)).toMatchObject({ status: 201 })
      expect(await adopt()).toMatchObject({ code: 0, stdout: expect.stringContaining('"adopted":[]') })
      await rm(join(dataDir, 'guard'), { recursive: true })
      await cp(backup, join(dataDir, 'guard'), { recursive: true })

      await serve(async (service) => {
        expect(await push(service)).toMatchObject({ status: 503, body: { code: 'signer_not_current' } })
        expect(await ask(service, '/v1/feed/unit?after=-1')).toMatchObject({ status: 200 }) // reading goes on
        expect(await adopt()).toMatchObject({ code: 4, stderr: expect.stringContaining('in use') })
      })
      const adopted = await adopt()
      expect(adopted, adopted.stderr).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('"ledger":"main/unit"'),
      })
      await serve(async (service) => {
        expect(await push(service)).toMatchObject({ status: 201 })
        const feed = await ask(service, '/v1/feed/operations?after=-1&limit=100&kind=command', { headers: { accept: 'application/json' } }) // oxfmt-ignore
        expect(feed.body['records']).toMatchObject([{ command: 'token.create' }, { command: 'key.adopt', reason: 'disk lost', by: { method: 'local' } }]) // oxfmt-ignore
      })
    },
  )
})

describe('proofline signer', () => {
  it(
    'refuses state that others may write, and lets its group in only when it is told to',
    { timeout: 60_000 },
    async () => {
      const folder = await temporaryFolder('signer')
      cleanups.push(folder.remove)
      const [data, run] = ['data', 'run'].map((name) => join(folder.path, name)) as [string, string]
      for (const path of [data, run]) await mkdir(path, { mode: 0o700 })
      const env = cleanEnvironment(folder.path)
      const args = ['signer', '--data-dir', data, '--socket', join(run, 's')]
      for (const path of [data, run]) {
        await chmod(path, 0o770)
        const refused = await runCli(args, { env, cwd: folder.path })
        expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`${path} has mode 770`) })
        await chmod(path, 0o750)
      }
      for (const mode of ['0600', '0660']) {
        const signer = spawn(process.execPath, [cli, ...args, '--socket-mode', mode], { env, stdio: ['ignore', 'pipe', 'inherit'] }) // oxfmt-ignore
        await new Promise((resolve) => signer.stdout.once('data', resolve))
        expect((await stat(join(run, 's'))).mode & 0o777).toBe(Number.parseInt(mode, 8))
        signer.kill('SIGTERM')
        await new Promise((resolve) => signer.once('exit', resolve))
      }
    },
  )
})
