import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { git, lcov, makeCheckout, write } from '../commands/run-program.ts'
import { buildkite, circleci, github, gitlab } from '../access/job-claims.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type FakeIssuer, startIssuer } from '../support/issuer.ts'
import { type Finished, type RunningService, ask, cleanEnvironment, readLedger, runCli, startServe, temporaryFolder } from '../support/service.ts' // oxfmt-ignore

/** Jobs of four CI systems push without a secret: the real program and service; issuers with the claims that each documents. */

const repository = 'github.com/acme/payments'
const audience = 'https://proofline.acme.example'
let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let service: RunningService
let checkout: string
let head: string
const issuers = new Map<string, FakeIssuer>()
const issuerOf = (name: string): FakeIssuer => {
  const found = issuers.get(name)
  if (found === undefined) throw new Error(`no issuer ${name}`)
  return found
}

const host = 'github.com'
const repositories = [repository]
const settings = [
  { provider: 'github', host, rules: [{ owner_id: '65', repositories: ['github.com/acme/*'] }] },
  { provider: 'gitlab', host, rules: [{ repository_id: '20' }] },
  { provider: 'buildkite', rules: [{ repository_id: buildkite['pipeline_id'], repositories }] },
  { provider: 'circleci', rules: [{ repository_id: circleci['oidc.circleci.com/project-id'], repositories }] },
]

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('identity')
  for (const { provider } of settings) issuers.set(provider, await startIssuer())
  const identity = {
    audience,
    cooldown_ms: 1_000,
    issuers: settings.map((one) => ({ ...one, issuer: issuerOf(one.provider).url })),
  }
  const config = join(folder.path, 'identity.yaml')
  writeFileSync(config, JSON.stringify({ identity, watch: { alerts_every_ms: 1_000 } }))
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url, args: ['--config', config] })
  checkout = makeCheckout()
  head = git(checkout, 'rev-parse', 'HEAD').trim()
})
afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  for (const issuer of issuers.values()) await issuer.close()
  await database.drop()
  await folder.remove()
})

const push = (env: Record<string, string>, ...more: string[]): Promise<Finished> =>
  ofSuite('push', env, 'coverage/lcov.info', ...more)
const seal = (env: Record<string, string>, ...more: string[]): Promise<Finished> => ofSuite('seal', env, ...more)
const ofSuite = (command: string, env: Record<string, string>, ...more: string[]): Promise<Finished> =>
  runCli([command, '--test-type', 'unit', '--suite', 'api', '--tests', '3,3,0,0', ...more], {
    cwd: checkout,
    env: {
      ...cleanEnvironment(join(folder.path, 'ci'), { PROOFLINE_URL: service.url, PROOFLINE_AUDIENCE: audience }),
      ...env,
    },
  })
const recordOf = async (kind: string, run: string): Promise<Record<string, unknown> | undefined> =>
  (await readLedger(service, 'unit', kind)).find((record) => record['run'] === run)

/** A program that a CI agent has on its path, which prints what `text` says. */
function program(name: string, script: string): string {
  const bin = join(folder.path, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
  return `${bin}${delimiter}${process.env['PATH'] ?? ''}`
}

describe('a job that its CI system vouches for', () => {
  it('of GitHub Actions asks for a token, pushes, and stands on record with what was verified', async () => {
    const issuer = issuerOf('github')
    const asked: string[] = []
    const endpoint: Server = createServer((request, response) => {
      asked.push(`${request.headers.authorization} ${request.url}`)
      void issuer
        .sign({ ...github, iss: issuer.url, sha: head })
        .then((value) => response.end(JSON.stringify({ count: 1, value })))
    })
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
    const address = endpoint.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const env = {
      GITHUB_ACTIONS: 'true', GITHUB_RUN_ID: '7351001', GITHUB_RUN_ATTEMPT: '1', GITHUB_REPOSITORY: 'acme/payments', GITHUB_SHA: head,
      GITHUB_REF: 'refs/heads/main', GITHUB_REPOSITORY_ID: '48201573', GITHUB_ACTOR_ID: '12', GITHUB_EVENT_NAME: 'push', GITHUB_JOB: 'test',
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/token?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-secret',
    } // oxfmt-ignore
    const pushed = await push(env)
    expect(pushed).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('identity: an OIDC token of GitHub Actions'),
    })
    expect(new Set(asked)).toEqual(new Set([`Bearer request-secret /token?api-version=2.0&audience=${encodeURIComponent(audience)}`])) // oxfmt-ignore
    const run = 'github.7351001.api.unit'
    const by = { method: 'oidc', issuer: issuer.url, subject: 'repo:acme/payments:ref:refs/heads/main', actor_id: '12' }
    const declared = await recordOf('run', run)
    expect(declared).toMatchObject({
      by,
      verified: { repository_id: '48201573', run: 'github.7351001', job: '55501', commit: head },
    })
    expect(JSON.stringify(declared)).not.toContain('octocat')
    expect(await recordOf('part', run)).toMatchObject({ by: { ...by, job: '55501' } })
    expect(await recordOf('seal', run)).toMatchObject({ by, admitted: true })
    // Of its commit it may also have a gate decide, and of no other.
    const token = await issuer.sign({ ...github, iss: issuer.url, sha: head })
    const gate = (commit: string) => ask(service, '/v1/gates', { method: 'POST', body: { repository, commit }, token })
    expect(await gate(head)).toMatchObject({ status: 201, body: { by, verdict: 'incomplete' } })
    expect(await gate('b'.repeat(40))).toMatchObject({ status: 403, body: { code: 'identity_mismatch' } })
    const { key } = (declared ?? {})['verified'] as { key: string }
    const kept = await ask(service, `/v1/artifacts/${key}`)
    expect(kept.text).toContain(issuer.keys()[0]?.n)

    // Taken out of a log, it pushes to no other run, commit or branch; and what it repeats is what is there.
    const stolen = {
      PROOFLINE_ID_TOKEN: await issuer.sign({ ...github, iss: issuer.url, sha: head }),
      GITHUB_ACTIONS: '',
    }
    const elsewhere = await push(
      stolen,
      '--run',
      'github.7351002',
      '--repository',
      repository,
      '--ref',
      'refs/heads/main',
    )
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('[identity_mismatch]') })
    const branch = await push(
      stolen,
      '--run',
      'github.7351001.more',
      '--repository',
      repository,
      '--ref',
      'refs/heads/release',
    )
    expect(branch).toMatchObject({ code: 1, stderr: expect.stringContaining('is of refs/heads/main') })
    expect((await readLedger(service, 'unit', 'rejection')).map(({ reason }) => reason)).toEqual(['identity_mismatch', 'identity_mismatch']) // oxfmt-ignore
    const again = await push(env)
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('already recorded') })
    endpoint.close()
  })

  it('of GitLab has it in a variable', async () => {
    const token = await issuerOf('gitlab').sign({
      ...gitlab,
      iss: issuerOf('gitlab').url,
      sha: head,
      ref_path: 'refs/heads/main',
    })
    const pushed = await push({
      GITLAB_CI: 'true', CI_PIPELINE_ID: '574', CI_JOB_ID: '302', CI_COMMIT_SHA: head, CI_COMMIT_BRANCH: 'main', CI_PROJECT_ID: '20',
      CI_PROJECT_URL: 'https://github.com/acme/payments', PROOFLINE_ID_TOKEN: token,
    }) // oxfmt-ignore
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('an OIDC token of GitLab') })
    expect(await recordOf('seal', 'gitlab.574~302.api.unit')).toMatchObject({
      admitted: true,
      by: { method: 'oidc', actor_id: '1' },
    })
  })

  it('of Buildkite has its agent ask', async () => {
    const { url, sign } = issuerOf('buildkite')
    const token = await sign({ ...buildkite, iss: url, build_commit: head })
    const PATH = program('buildkite-agent', `[ "$*" = "oidc request-token --audience ${audience} --claim organization_id,pipeline_id,build_id" ] || exit 1\necho ${token}`) // oxfmt-ignore
    const pushed = await push({
      PATH, BUILDKITE: 'true', BUILDKITE_AGENT_ACCESS_TOKEN: 'x', BUILDKITE_BUILD_ID: String(buildkite['build_id']), BUILDKITE_COMMIT: head,
      BUILDKITE_BRANCH: 'main', BUILDKITE_REPO: 'git@github.com:acme/payments.git', BUILDKITE_PULL_REQUEST: 'false',
    }) // oxfmt-ignore
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('an OIDC token of Buildkite') })
    expect(await recordOf('seal', `buildkite.${String(buildkite['build_id'])}.api.unit`)).toMatchObject({
      admitted: true,
    })
  })

  it('of CircleCI has its agent ask, and is marked: the token says nothing of the commit', async () => {
    const { url, sign } = issuerOf('circleci')
    const token = await sign({ ...circleci, iss: url })
    const PATH = program(
      'circleci',
      `[ "$*" = 'run oidc get --claims {"aud":"${audience}"}' ] || exit 1\necho ${token}`,
    )
    const workflow = String(circleci['oidc.circleci.com/workflow-id'])
    const pushed = await push({
      PATH, CIRCLECI: 'true', CIRCLE_WORKFLOW_ID: workflow, CIRCLE_WORKFLOW_WORKSPACE_ID: workflow, CIRCLE_SHA1: head, CIRCLE_BRANCH: 'main',
      CIRCLE_REPOSITORY_URL: 'git@github.com:acme/payments.git', CIRCLE_OIDC_TOKEN_V2: await sign({ ...circleci, iss: url, aud: 'org' }),
    }) // oxfmt-ignore
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('an OIDC token of CircleCI') })
    expect(await recordOf('run', `circleci.${workflow}.api.unit`)).toMatchObject({
      by: { weak: ['commit_unverified'] },
    })
  })

  it('is told when nobody trusts it, and when the keys of its issuer cannot be had', async () => {
    const issuer = issuerOf('gitlab')
    const other = await issuer.sign({ ...gitlab, iss: issuer.url, project_id: '21', sha: head })
    const stranger = await push({ PROOFLINE_ID_TOKEN: other })
    expect(stranger).toMatchObject({ code: 1, stderr: expect.stringContaining('no rule takes repository id 21') })
    issuer.behave('down')
    await issuer.rotate()
    const token = await issuer.sign({ ...gitlab, iss: issuer.url, sha: head })
    const away = await push({ PROOFLINE_ID_TOKEN: token }, '--retry-for', '0')
    expect(away).toMatchObject({ code: 4, stderr: expect.stringContaining('cannot be had') })
    for (
      let open = '';
      !open.includes(`issuer_unreachable:${issuer.url}`);
      open = (await ask(service, '/v1/alerts')).text
    )
      await new Promise((resolve) => setTimeout(resolve, 100))
    issuer.behave()
    for (
      let open = 'issuer_unreachable';
      open.includes('issuer_unreachable');
      open = (await ask(service, '/v1/alerts')).text
    ) {
      await push({ PROOFLINE_ID_TOKEN: token }, '--retry-for', '0')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })
})

describe('a job that signs what it pushes', () => {
  const producer = (...args: string[]): Promise<Finished> =>
    runCli(['key', 'producer', ...args, '--data-dir', folder.path], {
      cwd: checkout,
      env: cleanEnvironment(folder.path, { DATABASE_URL: database.url }),
    })

  it('is taken by its key, until that is revoked; and no request of it can be changed', async () => {
    const file = join(folder.path, 'producer.key')
    const made = await producer('create', 'jenkins', '--repository', repository, '--out', file, '--json')
    expect(made.code).toBe(0)
    const { id } = JSON.parse(made.stdout) as { id: string }
    const jenkins = {
      JENKINS_URL: 'https://ci.acme.example',
      JOB_NAME: 'payments',
      BUILD_NUMBER: '7',
      GIT_COMMIT: head,
      BRANCH_NAME: 'main',
    }
    write(checkout, 'coverage/other.info', lcov)
    const pushed = await push(jenkins, 'coverage/other.info', '--statement', file)
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('identity: a statement signed with') })
    const run = 'jenkins.payments-7.api.unit'
    const by = { method: 'statement', subject: `producer:${id}` }
    expect(await recordOf('run', run)).toMatchObject({
      by,
      verified: { run, commit: head, key: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
    expect(await recordOf('seal', run)).toMatchObject({ by, admitted: true, parts: 2 })
    expect((await push({ ...jenkins, BUILD_NUMBER: '8' }, '--statement', file, '--atomic')).code).toBe(0)
    const open = { ...jenkins, BUILD_NUMBER: '80' }
    expect((await push(open, '--statement', file, '--no-seal')).code).toBe(0)
    expect(await seal(open, '--statement', file, '--commit', 'f'.repeat(40))).toMatchObject({ code: 1, stderr: expect.stringContaining('[identity_mismatch]') }) // oxfmt-ignore
    expect(await seal(open, '--statement', file, '--commit', 'HEAD')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('full commit id'),
    })
    expect(await seal(open, '--commit', head)).toMatchObject({ code: 2, stderr: expect.stringContaining('go with --statement') }) // oxfmt-ignore
    expect(await seal(open, '--statement', file)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('identity: a statement signed with'),
    })
    expect(await recordOf('seal', 'jenkins.payments-80.api.unit')).toMatchObject({ by, parts: 1 })
    const foreign = await push(jenkins, '--statement', file, '--repository', 'github.com/acme/other', '--run', 'x')
    expect(foreign).toMatchObject({ code: 1, stderr: expect.stringContaining('[forbidden]') })
    expect((await producer('list')).stdout).toMatch(new RegExp(`${id} +jenkins +github.com/acme/payments`))
    expect((await producer('revoke', id)).code).toBe(0)
    expect((await producer('revoke', id)).code).toBe(1)
    for (
      let code: number | null = 0;
      code === 0;
      code = (await push({ ...jenkins, BUILD_NUMBER: '9' }, '--statement', file)).code
    )
      await new Promise((resolve) => setTimeout(resolve, 1_000)) // other nodes hear of it within five seconds
    expect((await push({ ...jenkins, BUILD_NUMBER: '10' }, '--statement', file)).code).toBe(2)
  })
})
