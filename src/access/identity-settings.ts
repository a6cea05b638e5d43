import { z } from 'zod'
import { testTypes } from '../record/record.ts'

/** The trust policy: whose tokens of CI jobs are believed, and for what. What contradicts itself stops the start. */

const text = z.string().min(1).max(512)
const texts = z.array(text).min(1).max(200)

export const pattern = text.refine(
  (name) => name !== '/*' && !name.slice(0, -1).includes('*'),
  'a name, or one that ends in /*',
)

const rule = z
  .strictObject({
    org: text.optional().describe('the org of the service; another one is refused'),
    repositories: z.array(pattern).min(1).max(200).optional(),
    repository_id: text.optional().describe("the issuer's id of the repository, project or pipeline"),
    owner_id: text.optional().describe("the issuer's id of its owner, group or organization"),
    refs: z.array(pattern).min(1).max(200).optional(),
    stages: texts.optional(),
    test_types: z.array(z.enum(testTypes)).min(1).optional(),
    events: texts.optional(),
    workflows: texts.optional().describe('files, without the ref: acme/payments/.github/workflows/ci.yml'),
    environments: texts.optional(),
    claims: z
      .record(z.string(), z.union([text, texts]))
      .default({})
      .describe('any claim: its value, or one of several'),
    commit: z
      .enum(['exact', 'any'])
      .default('exact')
      .describe('any: a job may test another commit than it was started for'),
    runners: z.enum(['any', 'hosted']).default('any'),
  })
  .superRefine((value, context) => {
    const { repository_id, owner_id, claims, events, refs } = value
    const wrong = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
    // A name can be given up and taken by somebody else; an id cannot.
    if (repository_id === undefined && owner_id === undefined && Object.keys(claims).length === 0)
      wrong('repository_id', 'is needed, or owner_id: names of repositories can pass to somebody else')
    if (events?.includes('pull_request_target') === true)
      wrong('events', 'pull_request_target is never taken: it speaks for a branch whose code it does not test')
    if (refs?.some((ref) => !ref.startsWith('refs/')) === true) wrong('refs', 'are full: refs/heads/main')
  })
export type TrustRule = z.output<typeof rule>

/** Only those with a public key: a secret shared with the issuer would let each of the two speak for it. */
export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const mapping = z.strictObject({
  repository: text.optional(),
  repository_id: text.optional(),
  owner_id: text.optional(),
  commit: text.optional(),
  ref: text.optional(),
  run: text,
  attempt: text.optional(),
  environment: text.optional(),
  actor_id: text.optional(),
  job: text.optional(),
})

export const providers = ['github', 'gitlab', 'buildkite', 'circleci', 'other'] as const
const usual: Readonly<Record<string, string>> = {
  github: 'https://token.actions.githubusercontent.com',
  gitlab: 'https://gitlab.com',
  buildkite: 'https://agent.buildkite.com',
}

const issuer = z
  .strictObject({
    provider: z.enum(providers),
    name: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'a-z, 0-9 and - within')
      .optional()
      .describe('in the names of runs of provider other, and in alerts; default the provider'),
    issuer: z.string().max(512).optional().describe('exactly as in the tokens'),
    host: z
      .string()
      .regex(/^[A-Za-z0-9.:-]{1,200}$/)
      .optional()
      .describe('in the names of its repositories; default github.com, else that of the issuer'),
    audience: text.optional().describe('default identity.audience'),
    jwks_uri: z.string().optional().describe('default: what the discovery document of the issuer names'),
    keys_file: text.optional().describe('a JWKS file, where the issuer cannot be reached from here'),
    algorithms: z.array(z.enum(algorithms)).min(1).default(['RS256']),
    leeway_s: z.int().min(0).max(300).default(30),
    ca_file: text.optional().describe('PEM file with the certificates to trust instead of those of the system'),
    mapping: mapping.optional().describe('of provider other: which claim is what'),
    rules: z.array(rule).min(1).max(500),
  })
  .transform((value) => ({
    ...value,
    name: value.name ?? value.provider,
    issuer: value.issuer ?? usual[value.provider] ?? '',
    host: value.host ?? hostOf(value.provider, value.issuer ?? usual[value.provider] ?? ''),
  }))
  .superRefine((value, context) => {
    const wrong = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    if (value.issuer === '') wrong(['issuer'], `is needed for ${value.provider}`)
    else if (!isSafeUrl(value.issuer)) wrong(['issuer'], 'is no https address')
    if (value.jwks_uri !== undefined && !isSafeUrl(value.jwks_uri)) wrong(['jwks_uri'], 'is no https address')
    if (value.keys_file !== undefined && value.jwks_uri !== undefined)
      wrong(['keys_file'], 'and jwks_uri exclude each other: the keys come from one of them')
    if ((value.provider === 'other') !== (value.mapping !== undefined))
      wrong(['mapping'], value.provider === 'other' ? 'is needed for provider other' : 'goes with provider other')
    const named = value.mapping?.repository
    const tellsRepository = value.provider === 'other' ? named !== undefined : value.provider !== 'buildkite'
    for (const [at, { repositories, repository_id }] of value.rules.entries()) {
      if (tellsRepository) continue
      // What the claims do not tell the rule has to: one pipeline, one repository.
      if (repositories?.length !== 1 || repositories[0]?.endsWith('/*') === true)
        wrong(
          ['rules', at, 'repositories'],
          'the claims of this issuer name no repository: name the one that the rule is for',
        )
      else if (value.provider === 'buildkite' && repository_id === undefined)
        wrong(
          ['rules', at, 'repository_id'],
          'the id of the pipeline is needed: any other of the organization could speak for the repository',
        )
    }
  })
export type IssuerSettings = z.output<typeof issuer>

export const identitySettings = z
  .strictObject({
    audience: text.optional().describe('what tokens are to be made out to: the address of this service'),
    issuers: z.array(issuer).max(32).default([]),
    timeout_ms: z.int().min(100).max(30_000).default(5_000).describe('to ask an issuer for its keys'),
    cooldown_ms: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(60_000)
      .describe('an issuer is not asked again before, however many unknown keys are named'),
    refresh_ms: z
      .int()
      .min(10_000)
      .max(86_400_000)
      .default(600_000)
      .describe('how old keys are when they are asked for anew'),
    keep_ms: z
      .int()
      .min(60_000)
      .default(3 * 86_400_000)
      .describe('how long keys are believed of an issuer that cannot be reached'),
    allow_metadata_addresses: z.boolean().default(false),
  })
  .superRefine(({ audience, issuers }, context) => {
    const wrong = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    for (const [at, one] of issuers.entries()) {
      if ((one.audience ?? audience) === undefined)
        wrong(
          ['issuers', at, 'audience'],
          'is needed, or identity.audience: without it tokens made for others would be taken',
        )
      const twice = issuers.slice(0, at).find((other) => other.issuer === one.issuer || other.name === one.name)
      if (twice !== undefined) wrong(['issuers', at, twice.issuer === one.issuer ? 'issuer' : 'name'], 'is there twice')
    }
  })
export type IdentitySettings = z.output<typeof identitySettings>

/** Where the repositories are: with github.com and GitLab, and with servers of one's own, that is told by the issuer. */
function hostOf(provider: (typeof providers)[number], issuer: string): string | undefined {
  if ((provider !== 'github' && provider !== 'gitlab') || !URL.canParse(issuer)) return undefined
  return issuer.startsWith(usual['github'] ?? '') ? 'github.com' : new URL(issuer).hostname
}

/** https, or this machine. */
export function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, username, search, hash } = new URL(url)
  if (username !== '' || search !== '' || hash !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && /^(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(hostname))
}
