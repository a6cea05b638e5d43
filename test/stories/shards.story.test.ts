import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCheckout, write } from '../commands/run-program.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import {
  type Finished,
  type RunningService,
  anLcov,
  ask,
  cleanEnvironment,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** Several jobs make up one run: the real program, many processes, a real service. */

let test: TestDatabase
let service: RunningService
let data: Awaited<ReturnType<typeof temporaryFolder>>
let folder: string
beforeAll(async () => {
  test = await createTestDatabase()
  data = await temporaryFolder('shards')
  service = await startServe({ dataDir: data.path, databaseUrl: test.url })
  folder = makeCheckout()
  for (let shard = 1; shard <= 8; shard++) write(folder, `shard-${shard}/lcov.info`, anLcov(shard))
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await data.remove()
  rmSync(join(folder, '..'), { recursive: true })
  await test.drop()
})

const github = (run: string, attempt: string): Record<string, string> => ({
  GITHUB_ACTIONS: 'true',
  GITHUB_RUN_ID: run,
  GITHUB_RUN_ATTEMPT: attempt,
  GITHUB_JOB: 'test',
  GITHUB_REPOSITORY: 'acme/payments',
  GITHUB_REPOSITORY_ID: '48201573',
  GITHUB_REF: 'refs/heads/main',
  GITHUB_EVENT_NAME: 'push',
})
const proofline = (args: string[], env: Record<string, string>): Promise<Finished> =>
  runCli(args, {
    cwd: folder,
    env: cleanEnvironment(data.path, { PROOFLINE_URL: service.url, PROOFLINE_TOKEN: service.token, ...env }),
  })
const unit = ['--test-type', 'unit', '--suite', 'api']
const pushShard = (shard: number, env: Record<string, string>, ...more: string[]): Promise<Finished> => {
  const about = ['--parts', '8', '--shard', String(shard), '--tests', `${shard},${shard},0,0`]
  const part = ['--part', `coverage/lcov.info#${shard}`]
  return proofline(['push', `shard-${shard}/lcov.info`, ...part, ...unit, ...about, ...more], env)
}
const recordsOf = async (run: string, kind: string): Promise<Record<string, unknown>[]> =>
  (await readLedger(service, 'unit', kind)).filter((record) => record['run'] === run)

describe('a run that eight jobs push to at once', () => {
  const [env, run] = [github('100', '1'), 'github.100.api.unit']

  it('ends once, with the last of them, with the tests of all', async () => {
    const pushed = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((shard) => pushShard(shard, env)))
    expect(
      pushed.map(({ code, stderr }) => ({ code, stderr: stderr.replace(/^note: the run ends with.*\n/, '') })),
    ).toEqual(pushed.map(() => ({ code: 0, stderr: '' })))
    expect(pushed.filter(({ stdout }) => stdout.includes('\nseal ')).length).toBeGreaterThanOrEqual(1)
    const seals = await recordsOf(run, 'seal')
    expect(seals).toHaveLength(1)
    expect(seals[0]).toMatchObject({
      outcome: 'completed',
      tests: { total: 36, passed: 36, failed: 0, skipped: 0 },
      parts: 8,
      shards: 8,
      admitted: true,
    })
    expect(seals[0]).not.toHaveProperty('earlier')
    expect(await recordsOf(run, 'run')).toHaveLength(1)
    expect((await recordsOf(run, 'part')).map(({ shard }) => (shard as { name: string }).name).toSorted()).toEqual(
      Array.from({ length: 8 }, (_, i) => String(i + 1)),
    )
    expect(await recordsOf(run, 'rejection')).toEqual([])
  })

  it('takes any of them again with the first receipt, and records nothing', async () => {
    const before = (await readLedger(service, 'unit')).length
    const again = await pushShard(3, env)
    expect(again.stdout.split('\n')[0]).toBe(`already recorded: ${run} in main/unit`)
    expect(again.stdout).toContain('\nseal ')
    const sealed = await proofline(['seal', '--test-type', 'unit', '--suite', 'api', '--parts', '8'], env)
    expect(sealed.stdout).toMatch(/^already sealed: github\.100\.api\.unit.*\n.*8 parts of 8 shards, 36 tests/)
    expect((await readLedger(service, 'unit')).length).toBe(before)
  })

  it('tells two jobs that send the same part what to do', async () => {
    const about = ['--parts', '8', '--shard', '3', '--tests', '3,3,0,0']
    const other = await proofline(
      ['push', 'shard-1/lcov.info', '--part', 'coverage/lcov.info#3', ...unit, ...about],
      env,
    )
    expect(other.code).toBe(1)
    expect(other.stderr).toMatch(
      /^proofline: coverage\/lcov\.info#3 of github\.100\.api\.unit was recorded at \S+ by the job test from other bytes: those of sha256 [0-9a-f]{64}, not of [0-9a-f]{64}\. Two jobs that send reports of one path: give each --shard NAME and all --parts N.* \[part_conflict\]\n$/,
    )
    expect((await recordsOf(run, 'rejection'))[0]).toMatchObject({
      reason: 'part_conflict',
      part: 'coverage/lcov.info#3',
    })
  })

  it('tells a ninth that the run has ended, and one that declares it otherwise in what', async () => {
    const ninth = await proofline(
      ['push', 'shard-1/lcov.info', '--test-type', 'unit', '--suite', 'api', '--parts', '9', '--shard', '9'],
      env,
    )
    expect(ninth.stderr).toMatch(
      /github\.100\.api\.unit ended at \S+ with 8 parts and takes no more \[run_sealed\]\n {2}.*--parts N/,
    )
    const flagged = await pushShard(1, env, '--flags', '--all')
    expect(flagged.stderr).toContain(
      'github.100.api.unit was declared before with other content: configuration (digest ',
    )
  })
})

describe('"re-run failed jobs"', () => {
  const sealing = ['seal', '--test-type', 'unit', '--suite', 'api', '--parts', '8', '--json']

  it('counts own parts, else those of the earlier attempt, and names them', async () => {
    for (const shard of [1, 2, 4, 5, 6, 7, 8])
      expect((await pushShard(shard, github('200', '1'))).stdout).toContain('shards are there')
    const waiting = await proofline(sealing, github('200', '1'))
    expect(waiting.code).toBe(3)
    expect(JSON.parse(waiting.stdout)).toMatchObject({ sealed: false, expected: 8, arrived: 7 })

    // Only the third is run again, as attempt 2; then the job that depends on all of them.
    const third = await pushShard(3, github('200', '2'))
    expect(third.stdout).toContain('1 of 8 shards are there: 3')
    const sealed = await proofline(sealing, github('200', '2'))
    expect(sealed.code).toBe(0)
    const seal = JSON.parse(sealed.stdout) as Record<string, unknown>
    expect(seal).toMatchObject({
      run: 'github.200~2.api.unit',
      admitted: true,
      parts: 8,
      shards: 8,
      tests: { total: 36, passed: 36, failed: 0, skipped: 0 },
    })
    const earlier = seal['earlier'] as { run: string; part: string; seq: number; artifact_sha256: string }[]
    expect(earlier.map(({ part }) => part)).toEqual([1, 2, 4, 5, 6, 7, 8].map((shard) => `coverage/lcov.info#${shard}`))
    const parts = await recordsOf('github.200.api.unit', 'part')
    for (const { run, part, seq, artifact_sha256 } of earlier)
      expect(parts.find((record) => record['seq'] === seq)).toMatchObject({ run, part, artifact_sha256 })
    const again = await proofline(sealing, github('200', '2'))
    expect(JSON.parse(again.stdout)).toEqual({ ...seal, repeated: true })
    const repeatedThird = await pushShard(3, github('200', '2'))
    expect(repeatedThird.stdout.split('\n')[0]).toBe('already recorded: github.200~2.api.unit in main/unit')
    expect(repeatedThird.stdout).toMatch(/^ {2}earlier +coverage\/lcov\.info#1 of github\.200\.api\.unit, /m)
  })

  it('leans on nothing older where every job ran again', async () => {
    for (const attempt of ['1', '2'])
      for (const shard of [1, 2]) {
        const args = ['push', `shard-${shard}/lcov.info`, '--test-type', 'unit', '--suite', 'api', '--parts', '2']
        await proofline([...args, '--shard', String(shard), '--tests', '1,1,0,0'], github('300', attempt))
      }
    const sealed = await proofline(
      ['seal', '--test-type', 'unit', '--suite', 'api', '--parts', '2', '--json'],
      github('300', '2'),
    )
    expect(JSON.parse(sealed.stdout)).toMatchObject({ repeated: true, run: 'github.300~2.api.unit', shards: 2 })
    expect(JSON.parse(sealed.stdout)).not.toHaveProperty('earlier')
  })

  it('refuses attempts of other tests or another commit, on record', async () => {
    const seal = (earlier: string) =>
      ask(service, '/v1/runs/github.200~2.api.unit/seal', { method: 'PUT', body: { parts: 9, earlier: [earlier] } })
    const other = await proofline(
      ['push', 'shard-1/lcov.info', '--test-type', 'unit', '--suite', 'other', '--tests', '1,1,0,0'],
      github('200', '1'),
    )
    expect(other.code).toBe(0)
    expect(await seal('github.200.other.unit')).toMatchObject({
      status: 422,
      body: {
        code: 'attempt_mismatch',
        detail: 'github.200.other.unit is no earlier attempt of github.200~2.api.unit: it ran the suite other',
      },
    })
    expect(await seal('github.200~2.api.unit')).toMatchObject({ status: 422, body: { code: 'attempt_mismatch' } })
    expect((await recordsOf('github.200~2.api.unit', 'rejection')).map(({ reason }) => reason)).toContain(
      'attempt_mismatch',
    )
  })
})

describe('a run that is sealed already', () => {
  const sealing = (run: string, ...more: string[]) => proofline(['seal', '--run', run, ...unit, ...more], {})
  const pushed = async (run: string, shards: readonly number[], tests = '1,1,0,0') => {
    for (const shard of shards) {
      const args = ['push', `shard-${shard}/lcov.info`, ...unit, '--run', run, '--shard', String(shard)]
      expect((await proofline([...args, '--tests', tests, '--no-seal'], {})).code).toBe(0)
    }
  }
  const rejections = async (run: string) =>
    (await recordsOf(`${run}.api.unit`, 'rejection')).map(({ reason, detail }) => [reason, detail])

  it('is content with a request that asserts nothing, and names three shards against five', async () => {
    await pushed('s3', [1, 2, 3])
    expect((await sealing('s3', '--parts', '3')).stdout).toMatch(/^sealed: /)
    for (const more of [[], ['--parts', '2'], ['--parts', '3']])
      expect(await sealing('s3', ...more)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^already sealed: s3\.api\.unit/) as string,
      })
    expect(await rejections('s3')).toEqual([])
    const five = await sealing('s3', '--parts', '5')
    expect(five.code).toBe(1)
    expect(five.stderr).toMatch(/other content: 3 shards, not the 5 that are asked for; .*\[seal_conflict\]/)
    expect(await rejections('s3')).toHaveLength(1)
  })

  it('names the earlier attempts that it counts against others, and lets those pass of which it needs none', async () => {
    await pushed('e1', [1])
    await pushed('e2', [2])
    await pushed('e3', [3])
    expect((await sealing('e3', '--earlier', 'e1.api.unit')).stdout).toMatch(/^sealed: [^]* 2 parts of 2 shards/)
    expect((await sealing('e3')).stdout).toMatch(/^already sealed/)
    // What came to the earlier attempt after the seal makes no other of it.
    await pushed('e1', [4])
    expect((await sealing('e3', '--parts', '2', '--earlier', 'e1')).stdout).toMatch(/^already sealed/)
    const other = await sealing('e3', '--earlier', 'e2')
    expect(other.code).toBe(1)
    expect(other.stderr).toContain(
      'parts of e1.api.unit, where with e2.api.unit those of e2.api.unit would count; completed, 2 tests',
    )
    expect(other.stderr).toContain('[seal_conflict]')
    await pushed('e4', [3])
    expect((await sealing('e4')).stdout).toMatch(/^sealed/)
    expect((await sealing('e4', '--earlier', 'e3')).stdout).toMatch(/^already sealed/)
    expect((await sealing('e4', '--earlier', 'e2')).stderr).toContain('parts of no earlier attempt, where with')
  })

  it('is not ended with an attempt that nobody declared, unless CI worked out its name', async () => {
    await pushed('u1', [1])
    const unknown = await sealing('u1', '--earlier', 'nobody')
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toContain(
      'no earlier attempt of u1.api.unit: nobody.api.unit was never declared in main/unit [attempt_mismatch]',
    )
    expect(await recordsOf('u1.api.unit', 'seal')).toEqual([])
    expect((await rejections('u1')).map(([reason]) => reason)).toEqual(['attempt_mismatch'])
    const second = github('400', '2')
    const args = ['push', 'shard-1/lcov.info', ...unit, '--tests', '1,1,0,0', '--no-seal', '--shard', '1']
    expect((await proofline(args, second)).code).toBe(0)
    expect((await proofline(['seal', ...unit], second)).stdout).toMatch(/^sealed: github\.400~2\.api\.unit/)
  })

  it('has failed where a shard says tests that failed, or the seal does, unless somebody says otherwise', async () => {
    await pushed('f1', [1], '2,1,1,0')
    expect((await sealing('f1')).stdout).toMatch(/, failed, 1 part[^s][^]*admitted: no: outcome_failed/)
    await pushed('f2', [1])
    expect((await sealing('f2', '--tests', '2,1,1,0')).stdout).toContain('admitted: no: outcome_failed')
    await pushed('f3', [1])
    expect((await sealing('f3', '--tests', '2,1,1,0', '--outcome', 'completed')).stdout).toContain('admitted: yes')
  })
})

describe('POST /v1/push of a shard', () => {
  const about = { repository: 'r', test_type: 'unit', suite: 'api', commit: 'c'.repeat(40), run: 'local.curl.api.unit' }
  const push = (shard: string) => {
    const brought = { name: `cov#${shard}`, shard, parts: '2', tests: '2,1,1,0', outcome: 'failed' }
    return ask(service, `/v1/push?${new URLSearchParams({ ...about, ...brought }).toString()}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: anLcov(Number(shard)),
    })
  }

  it('is one durable request, and the last one ends the run', async () => {
    expect(await push('1')).toMatchObject({ status: 201, body: { seal: { expected: 2, arrived: 1, shards: ['1'] } } })
    const last = await push('2')
    expect(last).toMatchObject({
      status: 201,
      body: { seal: { outcome: 'failed', tests: { total: 4, passed: 2, failed: 2, skipped: 0 }, admitted: false } },
    })
    const again = await push('2')
    expect(again.status).toBe(200)
    expect(again.body).toEqual(last.body)
  })
})
