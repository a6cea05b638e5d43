import { describe, expect, it } from 'vitest'
import { ciRunName, readCi, type Ci } from '../../src/producer/ci.ts'

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
  SYSTEM_JOBNAME: 'unit',
  BUILD_SOURCEBRANCH: 'refs/heads/main',
  BUILD_SOURCEVERSION: base,
  BUILD_REPOSITORY_URI: 'https://acme@dev.azure.com/acme/shop/_git/payments',
  BUILD_REPOSITORY_ID: 'guid',
  BUILD_REQUESTEDFORID: 'actor',
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
        job: 'test',
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
      { repository: 'github.com/acme/payments', ref: 'refs/heads/main', job: 'test' },
    ],
    [
      'Azure Pipelines',
      azure,
      'azure.88',
      {
        repository: 'dev.azure.com/acme/shop/_git/payments',
        repositoryId: 'guid',
        actorId: 'actor',
        url: 'https://dev.azure.com/acme/my%20shop/_build/results?buildId=88',
      },
    ],
  ])('knows %s', (_, env, name, facts) => {
    const ci = readCi(env)
    expect(ci).toMatchObject(facts)
    expect(ci && ciRunName(ci)).toBe(name)
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
    ['names the attempt of a repeated GitHub run', { ...github, GITHUB_RUN_ATTEMPT: '3' }, undefined, { attempt: '3' }],
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
      'makes the jobs of a GitLab parallel set one run',
      { ...gitlab, CI_NODE_TOTAL: '3', CI_JOB_NAME: 'unit 2/3' },
      undefined,
      { attempt: undefined, job: 'unit' },
    ],
    [
      'keeps a Jenkins pull request from a branch called main off main',
      { ...jenkins, CHANGE_ID: '8', CHANGE_BRANCH: 'main', BRANCH_NAME: 'PR-8' },
      undefined,
      { ref: 'refs/pull/8/head', change: '8' },
    ],
    ['counts Buildkite retries from two', { ...buildkite, BUILDKITE_RETRY_COUNT: '1' }, undefined, { attempt: '2' }],
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
      'names stage and job of an Azure attempt',
      { ...azure, SYSTEM_STAGEATTEMPT: '2', SYSTEM_JOBATTEMPT: '1' },
      undefined,
      { attempt: '2-1' },
    ],
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
