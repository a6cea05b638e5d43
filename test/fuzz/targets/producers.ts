import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { identitySettings } from '../../../src/access/identity-settings.ts'
import { createIssuerKeys } from '../../../src/access/issuer-keys.ts'
import { createOidcVerifier } from '../../../src/access/oidc.ts'
import { parseTarget } from '../../../src/commands/dispose.ts'
import { readConfig, withoutSecrets } from '../../../src/config.ts'
import { parseTests, readJunit } from '../../../src/producer/junit.ts'
import { type FileDiff, parseDiff } from '../../../src/producer/line-maps.ts'
import { isRunId, printRunId, toPartName, toRepository, toRunPiece } from '../../../src/producer/run-identity.ts'
import { findWrongHunk } from '../../../src/record/hunks.ts'
import { audience, github } from '../../access/job-claims.ts'
import { inOne, inPieces, toText } from '../engine/bytes.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** What CI hands over, what an issuer signs, what people configure. */

const junit =
  '<?xml version="1.0"?><testsuites><testsuite name="a"><testcase name="b"/><testcase name="c"><failure message="x">y</failure></testcase><testcase><skipped/></testcase></testsuite></testsuites>'
const folder = mkdtempSync(join(tmpdir(), 'proofline-fuzz-'))

const [a, b] = ['a'.repeat(40), 'b'.repeat(40)]
const raw = (status: string, ...names: string[]): string => `:100644 100644 ${a} ${b} ${status}\0${names.join('\0')}\0`
const diff = `${raw('M', 'x.js')}${raw('R097', 'old.js', 'new.js')}\0diff --git a/x.js b/x.js\nindex ${a}..${b} 100644\n--- a/x.js\n+++ b/x.js\n@@ -1,2 +1 @@\n-a\n-b\n+c\ndiff --git a/old.js b/new.js\nsimilarity index 97%\nrename from old.js\nrename to new.js\nindex ${a}..${b} 100644\n--- a/old.js\n+++ b/new.js\n@@ -3,0 +4 @@ f()\n+x\n\\ No newline at end of file\n`

const at = new Date('2026-11-23T05:00:00Z')
const pair = await generateKeyPair('ES256', { extractable: true })
const issuer = 'https://ci.example'
const token = await new SignJWT({
  ...github,
  iss: issuer,
  aud: audience,
  iat: at.getTime() / 1000,
  exp: at.getTime() / 1000 + 300,
})
  .setProtectedHeader({ alg: 'ES256', kid: 'k' })
  .sign(pair.privateKey)
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }
const { issuers } = identitySettings.parse({
  audience,
  issuers: [
    {
      provider: 'github',
      issuer,
      host: 'github.com',
      algorithms: ['ES256'],
      rules: [{ owner_id: '65', repositories: ['github.com/acme/*'] }],
    },
  ],
})
const verifier = createOidcVerifier({
  org: 'main',
  issuers: issuers.map((settings) => ({
    settings,
    audience,
    keys: createIssuerKeys({
      fetch: () => Promise.resolve({ keys: [jwk] }),
      cooldownMs: 60_000,
      refreshMs: 600_000,
      keepMs: 3_600_000,
      nowMs: () => 0,
    }),
  })),
  now: () => at,
})
const bearer = await verifier.verify(token)

const config = `org: acme
public_host: logs.example
http: { port: 8080 }
database: { url: "postgres://u:hunter2@db/x" }
destinations:
  search: { type: elastic, url: "https://elastic.example:9200", api_key: s3cret-key }
---env
PROOFLINE_HTTP_PORT=9090
PROOFLINE_DESTINATIONS_SEARCH_URL=https://other.example:9200
`
const prototypes = JSON.stringify(Object.getOwnPropertyNames(Object.prototype))

export const targets: readonly FuzzTarget[] = [
  target({
    name: 'junit', reaches: ['producer/junit readJunit'], corpus: () => [junit], dictionary: ['<testcase>', '</testcase>', '<failure/>', '<!DOCTYPE a [<!ENTITY b "c">]>', '&b;', '<?x?>'], refusals: ['request_invalid'], rounds: 200,
    async read(input) {
      const file = join(folder, 'junit.xml')
      writeFileSync(file, input)
      return readJunit([file], folder)
    },
    check: ({ total, passed, failed, skipped }) => { assert.equal(passed + failed + skipped, total) },
  }),
  target({
    name: 'tests', reaches: ['producer/junit parseTests'], corpus: () => ['120,118,1,1', '0,0,0,0'], refusals: ['request_invalid'], rounds: 1_000,
    read: (input) => parseTests(toText(input)), check: ({ total, passed, failed, skipped }) => { assert.equal(passed + failed + skipped, total) },
  }),
  target({
    name: 'git-diff', reaches: ['producer/line-maps parseDiff', 'producer/diff-raw createRawReader'], corpus: () => [diff, ''], dictionary: ['\0', 'diff --git a/x b/x\n', '@@ -1 +1 @@\n', '@@ -0,0 +1,9 @@\n', 'Binary files a and b differ\n', 'index ', ':100644 100644 '], refusals: ['Error'],
    async read(input, random) {
      const once = async (chunks: AsyncIterable<Uint8Array>): Promise<FileDiff[] | string> => {
        const found: FileDiff[] = []
        try {
          for await (const one of parseDiff(chunks)) found.push(one)
        } catch (error) {
          if (error instanceof Error && error.constructor === Error) return error.message
          throw error
        }
        return found
      }
      const whole = await once(inOne(input))
      assert.deepEqual(await once(inPieces(input, random, false)), whole, 'another answer when it is cut otherwise')
      if (typeof whole === 'string') throw new Error(whole)
      return whole
    },
    check(diffs) {
      for (const { hunks, unmapped } of diffs) {
        assert((hunks === undefined) !== (unmapped === undefined))
        if (hunks !== undefined) assert.equal(findWrongHunk(hunks), undefined)
      }
    },
  }),
  target({
    name: 'remote', reaches: ['producer/run-identity toRepository'], corpus: () => ['https://u:p@github.com/acme/a.git', 'git@github.com:acme/a.git', 'ssh://git@ssh.dev.azure.com:22/v3/o/p/r'], dictionary: ['://', '@', ':', '.git', '?x=secret', '#'], refusals: ['undefined'], rounds: 1_000,
    read: (input) => toRepository(toText(input)), check: (name) => { assert(name !== '') },
  }),
  target({
    name: 'run-name', reaches: ['producer/run-identity isRunId', 'producer/run-identity toRunPiece', 'producer/run-identity toPartName'], corpus: () => ['github.1~2', 'a/b c'], refusals: ['Error'], rounds: 1_000,
    read: (input) => printRunId({ name: toText(input), suite: 'api', testType: 'unit' }),
    check: (id, input) => { assert(isRunId(id), id); assert(/^[A-Za-z0-9._-]*$/.test(toRunPiece(toText(input)))); assert(!toPartName(toText(input)).startsWith('/')) },
  }),
  target({
    name: 'disposition', reaches: ['commands/dispose parseTarget'], corpus: () => ['lines:src/a.ts:12-20', 'day:2026-11-20/unit/a/b', 'gate:x', 'dead_letter:splunk/1/2'], dictionary: ['file:', 'run:', 'alert:', 'deployment:', '/unit/'], refusals: ['request_invalid'], rounds: 1_000,
    read: (input) => parseTarget(toText(input)), check: (of, input) => { assert(toText(input).startsWith(`${of.kind}:`)) },
  }),
  target({
    name: 'oidc-token', reaches: ['access/oidc createOidcVerifier', 'access/claims readClaims'], corpus: () => [token], dictionary: ['.', 'eyJhbGciOiJub25lIn0', '=', '-', '_'], refusals: ['unauthenticated', 'forbidden'],
    read: (input) => verifier.verify(toText(input)), check: (who) => { assert.deepEqual(who, bearer, 'somebody else is believed') },
  }),
  target({
    name: 'configuration', reaches: ['config readConfig'], corpus: () => [config, '', '{}\n---env\nPROOFLINE_ORG=a\n'], refusals: ['request_invalid'], rounds: 150,
    dictionary: ['PROOFLINE_', 'PROOFLINE_DESTINATIONS_X_TYPE=elastic\n', 'PROOFLINE_DESTINATIONS___PROTO___TYPE=splunk\n', '__proto__:\n  a: 1\n', 'constructor: 1\n', '&a [', '*a', '<<: *a\n', '!!binary x', 'true', '1e999', 'identity: { issuers: [] }\n', 'retention:\n', '---\n'],
    read(input) {
      const [text = '', env = ''] = toText(input).split('---env\n')
      return readConfig(text, Object.fromEntries(env.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string])))
    },
    check(read) {
      assert.match(read.org, /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/)
      assert(!JSON.stringify(withoutSecrets(read).database).includes('//u:hunter2@'))
      assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), prototypes)
    },
  }),
] // oxfmt-ignore
