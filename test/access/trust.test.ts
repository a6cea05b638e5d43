import { describe, expect, it } from 'vitest'
import { type Asserted, findMismatch, isOfRun } from '../../src/access/bound.ts'
import { readClaims } from '../../src/access/claims.ts'
import { identitySettings } from '../../src/access/identity-settings.ts'
import { matchTrust } from '../../src/access/trust.ts'
import { audience, claimsOf, settingsOf, sha } from './job-claims.ts'

type Provider = keyof typeof claimsOf

function decide(provider: Provider, claims: object = {}, rule: object = {}, settings: object = {}) {
  const written = settingsOf[provider]
  const rules = [{ ...written.rules[0], ...rule }]
  const issuer = identitySettings.parse({ audience, issuers: [{ ...written, ...settings, rules }] }).issuers[0]
  if (issuer === undefined) throw new Error('there is one')
  const said = { ...claimsOf[provider], ...claims }
  return matchTrust(issuer.rules, said, readClaims(issuer, said))
}

/** What a client in that very job asserts. */
const own: Record<Provider, Asserted & { run: string }> = {
  github: { run: 'github.7351001.api.unit', repository_id: '48201573' },
  gitlab: { run: 'gitlab.574~302.api.unit', repository_id: '20' },
  buildkite: { run: 'buildkite.019583d7-3737-4e38-af67-f7cc356bd580.api.unit' },
  circleci: { run: 'circleci.2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e.api.unit' },
}
const asserted = (provider: Provider, change: Partial<Asserted> = {}): Asserted => ({
  commit: sha,
  ref: 'refs/heads/main',
  test_type: 'unit',
  ...own[provider],
  ...change,
})

function mismatch(
  provider: Provider,
  change: Partial<Asserted>,
  claims: object = {},
  rule: object = {},
): string | undefined {
  const match = decide(provider, claims, rule)
  if (match.kind === 'refused') throw new Error(match.reason)
  return findMismatch(match.bound, asserted(provider, change))
}

const all = Object.keys(claimsOf) as Provider[]

describe('matchTrust', () => {
  it.each(all)('takes a job of %s as its documentation shows it, for one repository', (provider) => {
    const match = decide(provider)
    expect(match).toMatchObject({
      kind: 'trusted',
      repository: provider === 'gitlab' ? 'gitlab.com/acme/payments' : 'github.com/acme/payments',
    })
    expect(mismatch(provider, {})).toBeUndefined()
  })

  const circle = (name: string, value: unknown) => ({ [`oidc.circleci.com/${name}`]: value })
  it.each<[string, Provider, object, object, string]>([
    ['a repository whose name was taken over has another id', 'gitlab', { project_id: '21' }, {}, 'no rule takes repository id 21'],
    ['an owner whose name was taken over has another id', 'github', { repository_owner_id: '66' }, {}, 'no rule takes'],
    ['without an id the name proves nothing', 'github', { repository_owner_id: undefined }, {}, 'no rule takes'],
    ['a repository of the owner that the rule does not name', 'github', {}, { repositories: ['github.com/acme/other'] }, 'none of its repositories'],
    ['a name that would stand for others', 'github', { repository: 'acme/*' }, {}, 'no name of a repository'],
    ['a name that only begins like it', 'github', { repository: 'acme-evil/payments' }, {}, 'none of its repositories'],
    ['pull_request_target, whatever a rule says', 'github', { event_name: 'pull_request_target' }, {}, 'pull_request_target'],
    ['workflow_run, unless a rule wants it', 'github', { event_name: 'workflow_run' }, {}, 'runs on what others made'],
    ['issue_comment, unless a rule wants it', 'github', { event_name: 'issue_comment' }, {}, 'runs on what others made'],
    ['an event that is not listed', 'github', { event_name: 'pull_request' }, { events: ['push'] }, 'none of its events'],
    ['another workflow file', 'github', { job_workflow_ref: 'acme/payments/.github/workflows/evil.yml@refs/heads/main' }, { workflows: ['acme/payments/.github/workflows/ci.yml'] }, 'none of its workflows'],
    ['a ref that is not listed', 'github', { ref: 'refs/pull/3/merge' }, { refs: ['refs/heads/main'] }, 'none of its refs'],
    ['a branch that only begins like it', 'github', { ref: 'refs/heads/mainly' }, { refs: ['refs/heads/main'] }, 'none of its refs'],
    ['a merge request from a branch that is called main', 'gitlab', { pipeline_source: 'merge_request_event' }, { refs: ['refs/heads/main'] }, 'none of its refs'],
    ['an environment that is not listed', 'github', {}, { environments: ['production'] }, 'none of its environments'],
    ['a self-hosted runner, where only hosted ones are taken', 'github', { runner_environment: 'self-hosted' }, { runners: 'hosted' }, 'self-hosted'],
    ['a runner that does not say what it is', 'github', { runner_environment: undefined }, { runners: 'hosted' }, 'self-hosted'],
    ['a claim of another value', 'github', { ref_protected: 'false' }, { claims: { ref_protected: 'true' } }, 'the claim ref_protected'],
    ['a claim that every object has', 'github', {}, { claims: { constructor: 'x' } }, 'the claim constructor'],
    ['a list where a text is asked for', 'github', { ref_protected: ['true'] }, { claims: { ref_protected: 'true' } }, 'the claim ref_protected'],
    ['no attempt: a second try could push to the first run', 'github', { run_attempt: undefined }, {}, 'which run'],
    ['no build id: any build could push to any run', 'buildkite', { build_id: undefined }, {}, 'which run'],
    ['another pipeline of the organization', 'buildkite', { pipeline_id: '0184990a-0000-4000-8000-000000000000' }, {}, 'no rule takes'],
    ['a fork whose builds are given secrets', 'circleci', circle('vcs-origin', 'github.com/mallory/payments'), {}, 'none of its repositories'],
    ['a job that was rerun with SSH', 'circleci', circle('ssh-rerun', true), {}, 'SSH'],
  ])('refuses %s', (_, provider, claims, rule, reason) => {
    expect(decide(provider, claims, rule)).toMatchObject({ kind: 'refused', reason: expect.stringContaining(reason) })
  }) // oxfmt-ignore

  it('takes workflow_run where a rule names it', () => {
    expect(decide('github', { event_name: 'workflow_run' }, { events: ['push', 'workflow_run'] }).kind).toBe('trusted')
  })

  it('reads the claims of any other issuer by its mapping', () => {
    const issuer = identitySettings.parse({
      audience,
      issuers: [
        {
          provider: 'other', name: 'forge', issuer: 'https://ci.acme.example', host: 'git.acme.example',
          mapping: { repository: 'project', repository_id: 'pid', commit: 'rev', ref: 'branch', run: 'build', attempt: 'try' },
          rules: [{ repository_id: '7' }],
        },
      ],
    }).issuers[0] // oxfmt-ignore
    const claims = { project: 'acme/payments', pid: 7, rev: sha, branch: 'refs/heads/main', build: 12, try: 2 }
    if (issuer === undefined) throw new Error('there is one')
    expect(matchTrust(issuer.rules, claims, readClaims(issuer, claims))).toMatchObject({
      repository: 'git.acme.example/acme/payments',
      bound: { runs: ['forge.12~2'], repositoryId: '7', commit: sha },
    })
    const without = { ...claims, try: undefined }
    expect(matchTrust(issuer.rules, without, readClaims(issuer, without)).kind).toBe('refused')
  })
})

describe('findMismatch', () => {
  it.each<[string, Provider, Partial<Asserted>, object, object, string | undefined]>([
    ['another run', 'github', { run: 'github.7351002.api.unit' }, {}, {}, 'is not the run'],
    ['a run whose number begins like it', 'github', { run: 'github.73510011.api.unit' }, {}, {}, 'is not the run'],
    ['the first attempt by the second', 'github', {}, { run_attempt: '2' }, {}, 'is not the run'],
    ['the second attempt by the first', 'github', { run: 'github.7351001~2.api.unit' }, {}, {}, 'is not the run'],
    ['the second attempt by itself', 'github', { run: 'github.7351001~2.api.unit' }, { run_attempt: '2' }, {}, undefined],
    ['a run that a user named', 'github', { run: 'nightly.api.unit' }, {}, {}, 'is not the run'],
    ['another commit', 'github', { commit: 'a'.repeat(40) }, {}, {}, 'of commit'],
    ['another commit, where the rule takes any', 'github', { commit: 'a'.repeat(40) }, {}, { commit: 'any' }, undefined],
    ['another branch', 'github', { ref: 'refs/heads/release' }, {}, {}, 'is of refs/heads/main'],
    ['the branch by a pull request', 'github', {}, { ref: 'refs/pull/3/merge' }, {}, 'is of refs/pull/3/merge'],
    ['no ref', 'github', { ref: undefined }, {}, {}, 'no ref'],
    ['another repository id', 'github', { repository_id: '1' }, {}, {}, 'repository id'],
    ['another stage', 'github', { stage: 'deploy' }, {}, { stages: ['test'] }, 'stage test'],
    ['no stage', 'github', {}, {}, { stages: ['test'] }, 'stage test'],
    ['the other test type', 'github', { test_type: 'integration' }, {}, { test_types: ['unit'] }, 'may push unit'],
    ['the branch by a merge request whose branch is called like it', 'gitlab', {}, { pipeline_source: 'merge_request_event' }, {}, 'merge-requests'],
    ['a merge request by one', 'gitlab', { ref: 'refs/merge-requests/3/head' }, { pipeline_source: 'merge_request_event' }, {}, undefined],
    ['a merge request by a branch', 'gitlab', { ref: 'refs/merge-requests/3/head' }, {}, {}, 'refs/heads/main'],
    ['the pipeline that several jobs push to', 'gitlab', { run: 'gitlab.574.api.unit' }, {}, {}, undefined],
    ['another job of the pipeline', 'gitlab', { run: 'gitlab.574~303.api.unit' }, {}, {}, 'is not the run'],
    ['a retry of the step', 'buildkite', { run: 'buildkite.019583d7-3737-4e38-af67-f7cc356bd580~2.api.unit' }, {}, {}, undefined],
    ['a pull request, which Buildkite does not tell', 'buildkite', { ref: 'refs/pull/3/head' }, {}, {}, undefined],
    ['a rerun, by its own workflow', 'circleci', { run: 'circleci.99999999-aaaa-4bbb-8ccc-dddddddddddd~2b3c4d5e.api.unit' }, {}, {}, undefined],
    ['a rerun of another workflow', 'circleci', { run: 'circleci.99999999-aaaa-4bbb-8ccc-dddddddddddd~00000000.api.unit' }, {}, {}, 'is not the run'],
    ['any commit, which CircleCI does not tell', 'circleci', { commit: 'a'.repeat(40) }, {}, {}, undefined],
  ])('case 32: %s', (_, provider, change, claims, rule, expected) => {
    const found = mismatch(provider, change, claims, rule)
    if (expected === undefined) expect(found).toBeUndefined()
    else expect(found).toContain(expected)
  }) // oxfmt-ignore

  it('lets the piece that is not told not reach into the suite', () => {
    expect(isOfRun('buildkite.b~2.api.unit', 'buildkite.b~*')).toBe(true)
    expect(isOfRun('buildkite.b~.api.unit', 'buildkite.b~*')).toBe(false)
    expect(isOfRun('circleci.x.y~12345678.unit', 'circleci.*~12345678')).toBe(false)
  })
})

describe('identitySettings', () => {
  const issuer = { provider: 'github', rules: [{ owner_id: '65' }] }
  it.each<[string, object, string]>([
    ['no audience', { issuers: [issuer] }, 'audience'],
    ['a rule without an id', { audience, issuers: [{ provider: 'github', rules: [{ repositories: ['github.com/acme/payments'] }] }] }, 'repository_id'],
    ['pull_request_target', { audience, issuers: [{ provider: 'github', rules: [{ owner_id: '65', events: ['pull_request_target'] }] }] }, 'never taken'],
    ['the same issuer twice', { audience, issuers: [issuer, { ...issuer, name: 'again' }] }, 'there twice'],
    ['keys from two places', { audience, issuers: [{ ...issuer, jwks_uri: 'https://a.example/k', keys_file: 'k.json' }] }, 'exclude each other'],
    ['an issuer over http', { audience, issuers: [{ ...issuer, issuer: 'http://ci.example' }] }, 'no https address'],
    ['an issuer with a query', { audience, issuers: [{ ...issuer, issuer: 'https://ci.example/?a=b' }] }, 'no https address'],
    ['a symmetric algorithm', { audience, issuers: [{ ...issuer, algorithms: ['HS256'] }] }, 'algorithms'],
    ['no algorithm at all', { audience, issuers: [{ ...issuer, algorithms: ['none'] }] }, 'algorithms'],
    ['CircleCI without the organization', { audience, issuers: [{ provider: 'circleci', rules: [{ owner_id: '1' }] }] }, 'issuer'],
    ['a pipeline without its repository', { audience, issuers: [{ provider: 'buildkite', rules: [{ repository_id: '1' }] }] }, 'name no repository'],
    ['an organization as a repository', { audience, issuers: [{ provider: 'buildkite', rules: [{ owner_id: '1', repositories: ['github.com/a/b'] }] }] }, 'id of the pipeline'],
    ['another issuer without a mapping', { audience, issuers: [{ ...issuer, provider: 'other', issuer: 'https://a.example' }] }, 'mapping'],
    ['a short ref', { audience, issuers: [{ provider: 'github', rules: [{ owner_id: '65', refs: ['main'] }] }] }, 'are full'],
    ['a mistyped key', { audience, issuers: [{ provider: 'github', rules: [{ owner_id: '65', ref: ['refs/heads/main'] }] }] }, 'ref'],
  ])('refuse %s', (_, settings, reason) => {
    const { error } = identitySettings.safeParse(settings)
    expect(JSON.stringify(error?.issues)).toContain(reason)
  }) // oxfmt-ignore

  it('take an issuer on this machine without TLS', () => {
    expect(
      identitySettings.safeParse({ audience, issuers: [{ ...issuer, issuer: 'http://127.0.0.1:8080' }] }).success,
    ).toBe(true)
    expect(
      identitySettings.safeParse({ audience, issuers: [{ ...issuer, issuer: 'http://127.0.0.1.evil.example' }] })
        .success,
    ).toBe(false)
  })
})
