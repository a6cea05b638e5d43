import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { anLcov, ask, cleanEnvironment, pushRun, type RunningService, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

it('publishes what is pushed, through kills; an altered file stops the copy with an alert and stays as it is', async () => {
  const database = await createTestDatabase()
  const { path, remove } = await temporaryFolder('publish')
  const [dataDir, copy] = [join(path, 'data'), join(path, 'copy')]
  const env = { PROOFLINE_PUBLISH_FOLDER: copy, PROOFLINE_PUBLISH_EVERY_MS: '200', PROOFLINE_WATCH_ALERTS_EVERY_MS: '1000' } // oxfmt-ignore
  const start = (): Promise<RunningService> => startServe({ dataDir, databaseUrl: database.url, env })
  const verify = () =>
    runCli(['verify', '--published', copy, '--since', join(path, 'seen.json'), '--data-dir', dataDir], { env: cleanEnvironment(dataDir) }) // oxfmt-ignore
  const until = async (size: number): Promise<void> => {
    while (!(await readFile(join(copy, 'main/unit/checkpoint'), 'utf8').catch(() => '')).includes(`\n${size}\n`))
      await sleep(50)
  }
  const published = async (): Promise<number> => {
    const { body } = await ask(service, '/v1/status')
    const { ledgers } = body as { ledgers: { ledger: string; published: number }[] }
    return ledgers.find(({ ledger }) => ledger === 'main/unit')?.published ?? 0
  }
  let service = await start()
  let size = 0
  for (let round = 0; round < 3; round++) {
    for (let run = 0; run < 12; run++)
      expect((await pushRun(service, `r${round}-${run}.api.unit`, anLcov(run, 20))).status).toBe(201)
    service.signal('SIGKILL')
    await service.ended
    const before = await verify()
    if (round > 0 || before.code !== 0) expect(before, before.stdout).toMatchObject(round > 0 ? { code: 0 } : { code: 1, stderr: expect.stringContaining('[not_found]') as string }) // oxfmt-ignore
    service = await start()
    size = await published()
    await until(size)
    const { code, stdout } = await verify()
    expect(stdout).toContain(`ok  main/unit         ${size} records`)
    expect(code).toBe(0)
  }
  const tile = join(copy, 'main/unit/tile/entries/003')
  await rm(tile, { force: true })
  await writeFile(tile, 'forged')
  expect(size).toBeLessThan(1024)
  for (let run = 0; (await published()) < 1024; run++) await pushRun(service, `f-${run}.api.unit`, anLcov(run, 20))
  const alerts = async (): Promise<string> => (await ask(service, '/v1/alerts')).text
  while (!(await alerts()).includes('log_mismatch')) await sleep(100)
  expect(await alerts()).toMatch(/main\/unit\/tile\/entries\/003 holds other bytes than the log/)
  expect(await readFile(tile, 'utf8')).toBe('forged')
  // Recording goes on, and the copy too once the file is gone.
  await pushRun(service, 'after.api.unit', anLcov(1))
  await rm(tile)
  while ((await alerts()).includes('"state":"opened","code":"log_mismatch"')) await sleep(100)
  const { code, stdout } = await verify()
  expect(stdout).toContain('ok  main/unit')
  expect(code).toBe(0)
  service.signal('SIGTERM')
  await service.ended
  await database.drop()
  await remove()
})
