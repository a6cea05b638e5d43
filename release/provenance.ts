import { signStatement, toStatementKey } from '../src/log/statement.ts'
import { createSigningKey, type SigningKey } from '../src/log/vkey.ts'
import { createPrivateKey } from 'node:crypto'

/** What was made of what, by whom: an in-toto statement with SLSA provenance v1, in a DSSE envelope. */

export const inTotoType = 'application/vnd.in-toto+json'
/** Of the key that signs releases, whoever holds it: it is told apart by its id. */
export const releaseKeyName = 'proofline/release/statement'

export interface Made {
  /** Names of files and their SHA-256. */
  subjects: readonly { name: string; sha256: string }[]
  version: string
  tag: string | undefined
  commit: string
  /** Where the commit can be had; undefined when the checkout has no remote by https. */
  source: string | undefined
  lockSha256: string
  node: { version: string; sha256: string }
  npm: string
  sourceDateEpoch: number
  builder: string
  invocation: string | undefined
  startedOn: Date
  finishedOn: Date
}

/** Pure. */
export function provenanceOf(made: Made): object {
  const { commit, source, tag, version } = made
  const git = source === undefined ? `urn:proofline:source@${commit}` : `git+${source}@${commit}`
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: made.subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:proofline:build:release@1', // docs/release.md says what is done
        externalParameters: { commit, version, ...(tag === undefined ? {} : { tag }) },
        internalParameters: { SOURCE_DATE_EPOCH: made.sourceDateEpoch },
        resolvedDependencies: [
          { uri: git, digest: { gitCommit: commit } },
          { uri: 'package-lock.json', digest: { sha256: made.lockSha256 } },
          { uri: `pkg:generic/node@${made.node.version}`, digest: { sha256: made.node.sha256 } },
          { uri: `pkg:npm/npm@${made.npm}` },
        ],
      },
      runDetails: {
        builder: { id: made.builder },
        metadata: {
          ...(made.invocation === undefined ? {} : { invocationId: made.invocation }),
          startedOn: made.startedOn.toISOString(),
          finishedOn: made.finishedOn.toISOString(),
        },
      },
    },
  }
}

/** The key of a PEM file (PKCS #8, as `openssl genpkey -algorithm ed25519` writes it). Throws an Error for any other. */
export async function readReleaseKey(pem: string): Promise<SigningKey> {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('the key of a release is Ed25519')
  const { d = '' } = key.export({ format: 'jwk' })
  return createSigningKey(releaseKeyName, 1, Buffer.from(d, 'base64url'))
}

/** The envelope as one line. */
export async function signProvenance(statement: object, key: SigningKey): Promise<string> {
  return `${await signStatement(inTotoType, Buffer.from(JSON.stringify(statement)), [toStatementKey(key)])}\n`
}
