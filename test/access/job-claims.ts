/** Claims as the providers document them: each a complete token payload of one job on the main branch. */

export const sha = '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b'
export const audience = 'https://proofline.acme.example'
type Claims = Record<string, unknown>

/** GitHub: docs.github.com, "OpenID Connect reference"; check_run_id since November 2025. */
export const github: Claims = {
  jti: 'example-id', sub: 'repo:acme/payments:ref:refs/heads/main', aud: audience, ref: 'refs/heads/main', sha,
  repository: 'acme/payments', repository_owner: 'acme', actor_id: '12', repository_visibility: 'private', repository_id: '48201573',
  repository_owner_id: '65', run_id: '7351001', run_number: '10', run_attempt: '1', runner_environment: 'github-hosted', actor: 'octocat',
  workflow: 'ci', head_ref: '', base_ref: '', event_name: 'push', ref_type: 'branch', ref_protected: 'true',
  workflow_ref: 'acme/payments/.github/workflows/ci.yml@refs/heads/main', workflow_sha: sha,
  job_workflow_ref: 'acme/payments/.github/workflows/ci.yml@refs/heads/main', job_workflow_sha: sha, check_run_id: '55501',
  iss: 'https://token.actions.githubusercontent.com',
} // oxfmt-ignore

/** GitLab: docs.gitlab.com, "ID token authentication", token payload. */
export const gitlab: Claims = {
  namespace_id: '72', namespace_path: 'acme', project_id: '20', project_path: 'acme/payments', user_id: '1', user_login: 'sample-user',
  user_email: 'sample-user@example.com', user_access_level: 'developer', pipeline_id: '574', pipeline_source: 'push', job_id: '302',
  ref: 'main', ref_type: 'branch', ref_path: 'refs/heads/main', ref_protected: 'true', runner_id: 1, runner_environment: 'gitlab-hosted',
  sha, project_visibility: 'private', ci_config_ref_uri: 'gitlab.com/acme/payments//.gitlab-ci.yml@refs/heads/main', ci_config_sha: sha,
  jti: '235b3a54-b797-45c7-ae9a-f72d7bc6ef5b', iss: 'https://gitlab.com', sub: 'project_path:acme/payments:ref_type:branch:ref:main', aud: audience,
} // oxfmt-ignore

/** Buildkite: buildkite.com/docs, `buildkite-agent oidc`, with --claim organization_id,pipeline_id,build_id. */
export const buildkite: Claims = {
  iss: 'https://agent.buildkite.com', sub: `organization:acme-inc:pipeline:payments:ref:refs/heads/main:commit:${sha}:step:build`, aud: audience,
  organization_slug: 'acme-inc', pipeline_slug: 'payments', build_number: 1, build_branch: 'main', build_commit: sha, step_key: 'build',
  job_id: '0184990a-477b-4fa8-9968-496074483cee', agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff', build_source: 'webhook', runner_environment: 'buildkite-hosted',
  organization_id: '0184990a-477b-4fa8-9968-496074483077', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b110', build_id: '019583d7-3737-4e38-af67-f7cc356bd580',
} // oxfmt-ignore

const circleOrg = '4d8c9b7a-1f2e-4d3c-8b5a-6f7e8d9c0b1a'
/** CircleCI: circleci.com/docs, "Using OpenID Connect tokens in jobs", CIRCLE_OIDC_TOKEN_V2. There is no commit in it. */
export const circleci: Claims = {
  iss: `https://oidc.circleci.com/org/${circleOrg}`, aud: audience,
  sub: `org/${circleOrg}/project/3a2f5b1c-7d4e-4f6a-9b8c-0d1e2f3a4b5c/user/9c8b7a6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d/vcs-origin/github.com/acme/payments/vcs-ref/refs/heads/main`,
  'oidc.circleci.com/context-ids': ['a74579f1-2e7d-451e-b009-5c082ad2729e'], 'oidc.circleci.com/job-id': '7c6b5a49-3827-4165-8f4e-3d2c1b0a9f8e',
  'oidc.circleci.com/org-id': circleOrg, 'oidc.circleci.com/pipeline-id': '5e4f3a2b-1c0d-4e9f-8a7b-6c5d4e3f2a1b',
  'oidc.circleci.com/project-id': '3a2f5b1c-7d4e-4f6a-9b8c-0d1e2f3a4b5c', 'oidc.circleci.com/ssh-rerun': false,
  'oidc.circleci.com/vcs-origin': 'github.com/acme/payments', 'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/workflow-id': '2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e',
} // oxfmt-ignore

export const claimsOf = { github, gitlab, buildkite, circleci } as const

const repositories = ['github.com/acme/payments']
/** What an operator writes for each, as docs/identity.md shows it. */
export const settingsOf = {
  github: { provider: 'github', rules: [{ owner_id: '65', repositories: ['github.com/acme/*'] }] },
  gitlab: { provider: 'gitlab', rules: [{ repository_id: '20' }] },
  buildkite: {
    provider: 'buildkite',
    rules: [
      {
        repository_id: '0184990a-4782-42b5-afc1-16715b10b110',
        owner_id: '0184990a-477b-4fa8-9968-496074483077',
        repositories,
      },
    ],
  },
  circleci: {
    provider: 'circleci',
    issuer: `https://oidc.circleci.com/org/${circleOrg}`,
    rules: [{ repository_id: '3a2f5b1c-7d4e-4f6a-9b8c-0d1e2f3a4b5c', repositories }],
  },
} as const
