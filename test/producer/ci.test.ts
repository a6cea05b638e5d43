import { describe, expect, it } from 'vitest'
import type { Ci } from '../../src/producer/ci-facts.ts'
import { ciRunName, earlierRunNames, readCi } from '../../src/producer/ci.ts'

const [head, merge, base] = ['a'.repeat(40), 'b'.repeat(40), 'c'.repeat(40)]

const github = {
  GITHUB_ACTIONS: 'true',
  GITHUB_RUN_ID: '7351001',
  GITHUB_RUN_ATTEMPT: '1',
  GITHUB_JOB: 'test',
  GITHUB_EVENT_NAME: 'push',
  GITHUB_SHA: base,
  GITHUB_REF: 'refs/heads/main',
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'acme/payments',
  GITHUB_REPOSITORY_ID: '99',
  GITHUB_ACTOR: 'someone',
  GITHUB_ACTOR_ID: '7',
}
const gitlab = {
  GITLAB_CI: 'true',
  CI_PIPELINE_ID: '501',
  CI_JOB_ID: '9001',
  CI_JOB_NAME: 'unit',
  CI_PIPELINE_URL: 'https://gitlab.example/acme/payments/-/pipelines/501',
  CI_COMMIT_SHA: base,
  CI_COMMIT_BRANCH: 'main',
  CI_COMMIT_REF_NAME: 'main',
  CI_PROJECT_URL: 'https://gitlab.example/acme/payments',
  CI_PROJECT_ID: '12',
  GITLAB_USER_ID: '3',
  GITLAB_USER_EMAIL: 'a@example.com',
}
const jenkins = {
  JENKINS_URL: 'https://ci.example/',
  JOB_NAME: 'payments/main',
  BUILD_NUMBER: '44',
  BUILD_URL: 'https://ci.example/job/44/',
  GIT_COMMIT: base,
  GIT_BRANCH: 'origin/main',
  GIT_URL: 'git@github.com:acme/payments.git',
}
const buildkite = {
  BUILDKITE: 'true',
  BUILDKITE_BUILD_ID: '0190-ab',
  BUILDKITE_RETRY_COUNT: '0',
  BUILDKITE_LABEL: ':test: unit',
  BUILDKITE_BUILD_URL: 'https://buildkite.com/acme/p/builds/5',
  BUILDKITE_BRANCH: 'main',
  BUILDKITE_COMMIT: base,
  BUILDKITE_PULL_REQUEST: 'false',
  BUILDKITE_REPO: 'git@github.com:acme/payments.git',
  BUILDKITE_TAG: '',
}
const circleci = {
  CIRCLECI: 'true',
  CIRCLE_WORKFLOW_ID: 'wf-1',
  CIRCLE_JOB: 'test',
  CIRCLE_BRANCH: 'main',
  CIRCLE_SHA1: base,
  CIRCLE_REPOSITORY_URL: 'https://github.com/acme/payments',
}
const azure = {
  TF_BUILD: 'True',
  BUILD_BUILDID: '88',
  SYSTEM_STAGEATTEMPT: '1',
  SYSTEM_JOBATTEMPT: '1',
  SYSTEM_JOBNAME: '__default',
  BUILD_SOURCEBRANCH: 'refs/heads/main',
  BUILD_SOURCEVERSION: base,
  BUILD_REPOSITORY_URI: 'https://acme@dev.azure.com/acme/shop/_git/payments',
  BUILD_REPOSITORY_ID: '48440e73-a9f9-45c7-bbdd-3ff745878df5',
  BUILD_REPOSITORY_PROVIDER: 'TfsGit',
  BUILD_REQUESTEDFOR: 'someone',
  BUILD_REQUESTEDFOREMAIL: 'someone@example.com',
  BUILD_REQUESTEDFORID: '1c70362c-270e-4d1a-9894-423bada88d4b',
  SYSTEM_PHASENAME: 'unit',
  SYSTEM_STAGENAME: '__default',
  SYSTEM_JOBPOSITIONINPHASE: '1',
  SYSTEM_TOTALJOBSINPHASE: '1',
  SYSTEM_PULLREQUEST_ISFORK: 'False',
  SYSTEM_TEAMFOUNDATIONCOLLECTIONURI: 'https://dev.azure.com/acme/',
  SYSTEM_TEAMPROJECT: 'my shop',
}

describe('readCi', () => {
  it.each<[string, Record<string, string>, string, Partial<Ci>]>([
    [
      'GitHub Actions',
      github,
      'github.7351001',
      {
        repository: 'github.com/acme/payments',
        repositoryId: '99',
        actorId: '7',
        job: { name: 'test' },
        ref: 'refs/heads/main',
        commit: base,
        build: 'github.7351001',
        url: 'https://github.com/acme/payments/actions/runs/7351001',
      },
    ],
    [
      'GitLab CI',
      gitlab,
      'gitlab.501~9001',
      {
        repository: 'gitlab.example/acme/payments',
        repositoryId: '12',
        actorId: '3',
        ref: 'refs/heads/main',
        commit: base,
        build: 'gitlab.501',
      },
    ],
    [
      'Jenkins',
      jenkins,
      'jenkins.payments-main-44',
      { repository: 'github.com/acme/payments', ref: 'refs/heads/main', commit: base },
    ],
    [
      'Buildkite',
      buildkite,
      'buildkite.0190-ab',
      { repository: 'github.com/acme/payments', ref: 'refs/heads/main', change: undefined },
    ],
    [
      'CircleCI',
      circleci,
      'circleci.wf-1',
      { repository: 'github.com/acme/payments', ref: 'refs/heads/main', job: { name: 'test', shard: undefined } },
    ],
    [
      'Azure Pipelines',
      azure,
      'azure.88',
      {
        repository: 'dev.azure.com/acme/shop/_git/payments',
        repositoryId: '48440e73-a9f9-45c7-bbdd-3ff745878df5',
        actorId: '1c70362c-270e-4d1a-9894-423bada88d4b',
        stage: undefined,
        url: 'https://dev.azure.com/acme/my%20shop/_build/results?buildId=88',
      },
    ],
  ])('knows %s', (_, env, name, facts) => {
    const ci = readCi(env)
    expect(ci).toMatchObject(facts)
    expect(ci && ciRunName(ci, false)).toBe(name)
    expect(JSON.stringify(ci)).not.toMatch(/someone|@example/)
  })

  it.each<[string, Record<string, string>, unknown, Partial<Ci>]>([
    [
      "takes the author's commit of a GitHub pull request from the event",
      { ...github, GITHUB_EVENT_NAME: 'pull_request', GITHUB_SHA: merge, GITHUB_REF: 'refs/pull/12/merge' },
      { pull_request: { number: 12, head: { sha: head } } },
      { commit: merge, headCommit: head, change: '12', ref: 'refs/pull/12/merge' },
    ],
    [
      'does without the event',
      { ...github, GITHUB_EVENT_NAME: 'pull_request', GITHUB_SHA: merge, GITHUB_REF: 'refs/pull/12/merge' },
      undefined,
      { commit: merge, headCommit: undefined, change: '12' },
    ],
    [
      'does not believe GITHUB_SHA and GITHUB_REF on pull_request_target',
      { ...github, GITHUB_EVENT_NAME: 'pull_request_target' },
      { pull_request: { number: 12, head: { sha: head } } },
      { commit: undefined, headCommit: head, ref: 'refs/pull/12/head' },
    ],
    [
      'goes by the run that triggered a workflow_run',
      { ...github, GITHUB_EVENT_NAME: 'workflow_run' },
      { workflow_run: { event: 'push', head_sha: head, head_branch: 'topic', pull_requests: [] } },
      { commit: head, ref: 'refs/heads/topic' },
    ],
    [
      "gives a fork's workflow_run no branch of ours",
      { ...github, GITHUB_EVENT_NAME: 'workflow_run' },
      { workflow_run: { event: 'pull_request', head_sha: head, head_branch: 'main', pull_requests: [] } },
      { commit: head, ref: undefined },
    ],
    [
      'names the attempt of a repeated GitHub run, and its address',
      { ...github, GITHUB_RUN_ATTEMPT: '3' },
      undefined,
      { attempt: '3', url: 'https://github.com/acme/payments/actions/runs/7351001/attempts/3' },
    ],
    [
      'knows the pull request behind a GitHub merge queue',
      { ...github, GITHUB_EVENT_NAME: 'merge_group', GITHUB_REF: `refs/heads/gh-readonly-queue/main/pr-104-${head}` },
      {},
      { change: '104', ref: `refs/heads/gh-readonly-queue/main/pr-104-${head}`, commit: base },
    ],
    [
      "knows GitLab's merged results from the merge request itself",
      {
        ...gitlab,
        CI_COMMIT_SHA: merge,
        CI_MERGE_REQUEST_IID: '4',
        CI_MERGE_REQUEST_REF_PATH: 'refs/merge-requests/4/merge',
        CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: head,
      },
      undefined,
      { commit: merge, headCommit: head, change: '4', ref: 'refs/merge-requests/4/merge' },
    ],
    [
      "takes GitLab's empty variables as absent",
      { ...gitlab, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: '' },
      undefined,
      { headCommit: undefined },
    ],
    [
      'knows a GitLab pipeline for a pull request elsewhere',
      {
        ...gitlab,
        CI_EXTERNAL_PULL_REQUEST_IID: '6',
        CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA: head,
        CI_COMMIT_BRANCH: 'topic',
      },
      undefined,
      { change: '6', ref: 'refs/pull/6/head', headCommit: head },
    ],
    [
      'keeps a Jenkins pull request from a branch called main off main',
      { ...jenkins, CHANGE_ID: '8', CHANGE_BRANCH: 'main', BRANCH_NAME: 'PR-8' },
      undefined,
      { ref: 'refs/pull/8/head', change: '8' },
    ],
    ['takes the word HEAD for no commit', { ...buildkite, BUILDKITE_COMMIT: 'HEAD' }, undefined, { commit: undefined }],
    [
      'knows a Buildkite pull request',
      { ...buildkite, BUILDKITE_PULL_REQUEST: '31' },
      undefined,
      { change: '31', ref: 'refs/pull/31/head' },
    ],
    [
      "reads CircleCI's pull request out of its address",
      { ...circleci, CIRCLE_PULL_REQUEST: 'https://github.com/acme/payments/pull/17' },
      undefined,
      { change: '17', ref: 'refs/pull/17/head' },
    ],
    [
      'knows an Azure pull request',
      {
        ...azure,
        BUILD_SOURCEBRANCH: 'refs/pull/5/merge',
        BUILD_SOURCEVERSION: merge,
        SYSTEM_PULLREQUEST_PULLREQUESTID: '5',
        SYSTEM_PULLREQUEST_SOURCECOMMITID: head,
      },
      undefined,
      { commit: merge, headCommit: head, change: '5' },
    ],
    [
      'does not take the name of a repository at GitHub for its id',
      { ...azure, BUILD_REPOSITORY_ID: 'acme/payments', BUILD_REPOSITORY_PROVIDER: 'GitHub' },
      undefined,
      { repositoryId: undefined },
    ],
    [
      'takes the number of a pull request at GitHub that Azure builds, not the id',
      { ...azure, SYSTEM_PULLREQUEST_PULLREQUESTID: '540266026', SYSTEM_PULLREQUEST_PULLREQUESTNUMBER: '89' },
      undefined,
      { change: '89' },
    ],
    ['names the stage where it has a name', { ...azure, SYSTEM_STAGENAME: 'verify' }, undefined, { stage: 'verify' }],
    ['takes the stage of a GitLab job', { ...gitlab, CI_JOB_STAGE: 'test' }, undefined, { stage: 'test' }],
    [
      'hands on a trace context',
      { ...github, TRACEPARENT: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` },
      undefined,
      { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` },
    ],
    ['takes no broken one', { ...github, TRACEPARENT: 'x' }, undefined, { traceparent: undefined }],
  ])('%s', (_, env, event, facts) => {
    const ci = readCi(env, event)
    for (const [name, value] of Object.entries(facts)) expect(ci?.[name as keyof Ci], name).toBe(value)
  })

  it.each([{}, { CI: 'true' }, { GITHUB_ACTIONS: 'true' }, { GITHUB_ACTIONS: '' }])(
    'is undefined outside CI: %j',
    (env) => {
      expect(readCi(env)).toBeUndefined()
    },
  )
})

describe('the job that CI describes', () => {
  it.each<[string, Record<string, string>, Partial<Ci['job']>]>([
    [
      'GitLab parallel',
      { ...gitlab, CI_NODE_TOTAL: '3', CI_NODE_INDEX: '2', CI_JOB_NAME: 'unit 2/3' },
      { name: 'unit', shard: { index: 2, total: 3 }, attempt: undefined, run: '9001' },
    ],
    [
      'GitLab matrix',
      { ...gitlab, CI_NODE_TOTAL: '4', CI_NODE_INDEX: '4', CI_JOB_NAME: 'unit: [linux, 22]', CI_JOB_RETRY_COUNT: '1' },
      { name: 'unit', shard: { index: 4, total: 4 }, attempt: 2 },
    ],
    [
      'GitLab without parallel',
      { ...gitlab, CI_NODE_TOTAL: '1', CI_ENVIRONMENT_NAME: 'staging' },
      { shard: undefined, environment: 'staging' },
    ],
    [
      'Buildkite parallelism',
      { ...buildkite, BUILDKITE_STEP_KEY: 'unit', BUILDKITE_PARALLEL_JOB: '0', BUILDKITE_PARALLEL_JOB_COUNT: '8' },
      { name: 'unit', shard: { index: 1, total: 8 }, attempt: 1, run: undefined },
    ],
    ['a retried Buildkite job', { ...buildkite, BUILDKITE_RETRY_COUNT: '1' }, { attempt: 2, run: '2' }],
    [
      'CircleCI parallelism',
      { ...circleci, CIRCLE_NODE_INDEX: '3', CIRCLE_NODE_TOTAL: '4' },
      { name: 'test', shard: { index: 4, total: 4 } },
    ],
    ['CircleCI alone', { ...circleci, CIRCLE_NODE_INDEX: '0', CIRCLE_NODE_TOTAL: '1' }, { shard: undefined }],
    [
      'Azure parallel',
      { ...azure, SYSTEM_JOBPOSITIONINPHASE: '5', SYSTEM_TOTALJOBSINPHASE: '5', SYSTEM_JOBNAME: 'Job5' },
      { name: 'unit', shard: { index: 5, total: 5 }, attempt: 1, run: undefined },
    ],
    ['an Azure job run again', { ...azure, SYSTEM_JOBATTEMPT: '2' }, { attempt: 2, run: '2' }],
    ['an Azure stage run again', { ...azure, SYSTEM_STAGEATTEMPT: '2' }, { attempt: 101, run: '2-1' }],
    ['an Azure deployment', { ...azure, ENVIRONMENT_NAME: 'staging' }, { environment: 'staging' }],
    ['a stage of a Jenkins pipeline', { ...jenkins, STAGE_NAME: 'unit 2' }, { stage: 'unit 2', shard: undefined }],
    ['a shard that cannot be', { ...circleci, CIRCLE_NODE_INDEX: '4', CIRCLE_NODE_TOTAL: '4' }, { shard: undefined }],
  ])('%s', (_, env, facts) => {
    const ci = readCi(env)
    for (const [name, value] of Object.entries(facts)) expect(ci?.job[name as keyof Ci['job']], name).toEqual(value)
  })
})

describe('who is given no secrets', () => {
  const from = (full_name: string | null) => ({
    pull_request: {
      number: 1,
      head: { sha: head, repo: full_name === null ? null : { full_name } },
      base: { repo: { full_name: 'acme/payments' } },
    },
  })
  const ofCircle = { ...circleci, CIRCLE_PR_NUMBER: '9', CIRCLE_PR_USERNAME: 'someone', CIRCLE_PR_REPONAME: 'payments' }
  const merge_request = { ...gitlab, CI_MERGE_REQUEST_IID: '4', CI_MERGE_REQUEST_PROJECT_ID: '12' }
  const ofBuildkite = { ...buildkite, BUILDKITE_PULL_REQUEST: '31' }
  it.each<[string, Record<string, string>, unknown, Ci['withoutSecrets']]>([
    ['GitHub, a fork', { ...github, GITHUB_EVENT_NAME: 'pull_request' }, from('eve/payments'), 'fork'],
    ['GitHub, a fork that is gone', { ...github, GITHUB_EVENT_NAME: 'pull_request' }, from(null), 'fork'],
    ['GitHub, a branch', { ...github, GITHUB_EVENT_NAME: 'pull_request' }, from('acme/payments'), undefined],
    ['GitHub, a push', github, undefined, undefined],
    ['GitHub, Dependabot', { ...github, GITHUB_ACTOR: 'dependabot[bot]' }, from('acme/payments'), 'dependabot'],
    [
      'GitHub, a workflow_run of a fork',
      { ...github, GITHUB_EVENT_NAME: 'workflow_run' },
      { workflow_run: { head_repository: { full_name: 'eve/payments' } } },
      'fork',
    ],
    ['GitLab, a fork', { ...merge_request, CI_MERGE_REQUEST_SOURCE_PROJECT_ID: '99' }, undefined, 'fork'],
    ['GitLab, a branch', { ...merge_request, CI_MERGE_REQUEST_SOURCE_PROJECT_ID: '12' }, undefined, undefined],
    [
      'Buildkite, a fork',
      { ...ofBuildkite, BUILDKITE_PULL_REQUEST_REPO: 'https://github.com/eve/payments.git' },
      undefined,
      'fork',
    ],
    [
      'Buildkite, a branch by another address',
      { ...ofBuildkite, BUILDKITE_PULL_REQUEST_REPO: 'https://github.com/acme/payments.git' },
      undefined,
      undefined,
    ],
    ['CircleCI, a fork', ofCircle, undefined, 'fork'],
    ['Azure, a fork', { ...azure, SYSTEM_PULLREQUEST_ISFORK: 'True' }, undefined, 'fork'],
    ['Azure, a branch', azure, undefined, undefined],
    ['Jenkins, a fork', { ...jenkins, CHANGE_ID: '8', CHANGE_FORK: 'eve' }, undefined, 'fork'],
    ['Jenkins, a branch', { ...jenkins, CHANGE_ID: '8' }, undefined, undefined],
  ])('%s', (_, env, event, why) => {
    const ci = readCi(env, event)
    expect(ci).toBeDefined()
    expect(ci?.withoutSecrets).toBe(why)
    expect(JSON.stringify(ci)).not.toMatch(/someone|eve/)
  })
})

describe('ciRunName', () => {
  const nameOf = (env: Record<string, string>, shared: boolean): string | undefined => {
    const ci = readCi(env)
    return ci && ciRunName(ci, shared)
  }

  it.each<[string, Record<string, string>, alone: string, shared: string]>([
    ['GitHub', { ...github, GITHUB_RUN_ATTEMPT: '2' }, 'github.7351001~2', 'github.7351001~2'],
    ['GitLab', gitlab, 'gitlab.501~9001', 'gitlab.501'],
    ['Buildkite', { ...buildkite, BUILDKITE_RETRY_COUNT: '2' }, 'buildkite.0190-ab~3', 'buildkite.0190-ab'],
    ['Azure', { ...azure, SYSTEM_STAGEATTEMPT: '2' }, 'azure.88~2-1', 'azure.88'],
    ['Jenkins', jenkins, 'jenkins.payments-main-44', 'jenkins.payments-main-44'],
    [
      'CircleCI',
      { ...circleci, CIRCLE_WORKFLOW_ID: 'd4b0f9a1-22', CIRCLE_WORKFLOW_WORKSPACE_ID: 'wf-1' },
      'circleci.wf-1~d4b0f9a1',
      'circleci.wf-1~d4b0f9a1',
    ],
    [
      'CircleCI, the first time',
      { ...circleci, CIRCLE_WORKFLOW_WORKSPACE_ID: 'wf-1' },
      'circleci.wf-1',
      'circleci.wf-1',
    ],
  ])('of %s keeps the attempt of one job out of a run of several', (_, env, alone, shared) => {
    expect(nameOf(env, false)).toBe(alone)
    expect(nameOf(env, true)).toBe(shared)
  })
})

describe('earlierRunNames', () => {
  const earlier = (env: Record<string, string>): string[] => {
    const ci = readCi(env)
    return ci === undefined ? [] : earlierRunNames(ci)
  }

  it('counts back where the provider counts, else knows the first', () => {
    expect(earlier(github)).toEqual([])
    expect(earlier({ ...github, GITHUB_RUN_ATTEMPT: '2' })).toEqual(['github.7351001'])
    expect(earlier({ ...github, GITHUB_RUN_ATTEMPT: '4' })).toEqual([
      'github.7351001~3',
      'github.7351001~2',
      'github.7351001',
    ])
    expect(earlier({ ...github, GITHUB_RUN_ATTEMPT: '900' })).toHaveLength(64)
    expect(earlier({ ...circleci, CIRCLE_WORKFLOW_ID: 'wf-2', CIRCLE_WORKFLOW_WORKSPACE_ID: 'wf-1' })).toEqual([
      'circleci.wf-1',
    ])
    expect(earlier({ ...buildkite, BUILDKITE_RETRY_COUNT: '3' })).toEqual([])
  })
})
