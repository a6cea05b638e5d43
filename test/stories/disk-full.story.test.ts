import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { anLcov, cleanEnvironment, pushRun, type RunningService, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

type Cleanups = (() => Promise<unknown>)[]

/** A file system of its own of so many MB; undefined where nobody may mount one. */
async function smallDisk(megabytes: number, cleanups: Cleanups): Promise<string | undefined> {
  const folder = await temporaryFolder('disk-full')
  cleanups.push(folder.remove)
  const disk = join(folder.path, 'disk')
  await mkdir(disk)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', disk])
  if (mounted.status !== 0) return undefined
  cleanups.push(async () => spawnSync('umount', ['-l', disk]))
  await chmod(folder.path, 0o755) // the embedded database runs as another user where the service is root
  return disk
}

/** Takes all the room that is left, to the last block. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (let size = 1_048_576; size >= 4_096; size /= 2) {
      const block = Buffer.alloc(size)
      for (;;) {
        const written = await file.write(block).catch(() => undefined)
        if (written === undefined || written.bytesWritten < size) break
      }
    }
  } finally {
    await file.close()
  }
}

/** What of the data folder lies on the small disk, how many MB it has, and what a client is told: full where that is known for certain. */
const places = [
  { on: 'everything', megabytes: 700, folder: undefined, told: [507] },
  { on: 'the database', megabytes: 400, folder: 'postgres', told: [503, 507] },
  { on: "the signer's memory", megabytes: 1, folder: 'guard', told: [503, 507] },
]

describe.concurrent('a disk that is full', () => {
  for (const { on, megabytes, folder, told } of places) {
    it(`case 27: with ${on} on it loses nothing that was acknowledged, and goes on when there is room`, async (context) => {
      const { expect } = context
      const cleanups: Cleanups = []
      context.onTestFinished(async () => {
        for (const clean of cleanups.toReversed()) await clean()
      })

      const disk = await smallDisk(megabytes, cleanups)
      if (disk === undefined) return context.skip('no file system may be mounted here')
      const dataDir = folder === undefined ? join(disk, 'data') : join(disk, '..', 'data')
      await mkdir(dataDir, { mode: 0o700 })
      if (folder !== undefined) {
        await mkdir(join(disk, folder), { mode: 0o700 })
        await symlink(join(disk, folder), join(dataDir, folder))
      }
      const answered: { run: string; seal: { id: string } }[] = []
      let number = 0
      let service: RunningService = await startServe({ dataDir })
      cleanups.push(async () => {
        service.signal('SIGTERM')
        await service.ended
      })
      const push = async (run: string): Promise<{ status: number; code: unknown }> => {
        const { status, body } = await pushRun(service, run, anLcov(number, 40, 200))
        if (status === 201 || status === 200) answered.push({ run, seal: body['seal'] as { id: string } })
        return { status, code: body['code'] }
      }
      const nextRun = (): string => `local.${number++}-${randomBytes(4).toString('hex')}.api.unit`
      for (let i = 0; i < 3; i++) expect(await push(nextRun())).toMatchObject({ status: 201 })

      await fill(join(disk, 'ballast'))
      // Until room inside of the database's own files is used up too.
      let refused: { run: string; status: number; code: unknown } | undefined
      for (let i = 0; i < 4_000 && refused === undefined; i++) {
        const run = nextRun()
        const answer = await push(run).catch((error: unknown) => ({ status: 0, code: String(error) }))
        if (answer.status !== 201) refused = { run, ...answer }
      }
      expect(told).toContain(refused?.status)

      await rm(join(disk, 'ballast'))
      const ended = await Promise.race([service.ended, new Promise((done) => setTimeout(done, 3_000, undefined))])
      if (ended !== undefined) service = await startServe({ dataDir })
      for (let tries = 0; ; tries++) {
        const again = await push(refused?.run ?? '')
        if (again.status === 201 || again.status === 200) break
        expect([503, 507]).toContain(again.status)
        expect(tries, JSON.stringify(again)).toBeLessThan(100)
        await new Promise((done) => setTimeout(done, 200))
      }

      const headers = { authorization: `Bearer ${service.token}` }
      for (const { run, seal } of answered) {
        const record = await fetch(`${service.url}/v1/records/${seal.id}`, { headers })
        expect(await record.json(), run).toMatchObject({ run, kind: 'seal' })
      }
      const verified = await runCli(['verify', '--database', '--data-dir', dataDir, '--json'], {
        env: cleanEnvironment(dataDir),
      })
      expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
    }, 180_000)
  }
})
