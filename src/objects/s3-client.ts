import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type * as Sdk from '@aws-sdk/client-s3'
import { guard } from '../network/guard.ts'
import { Problem } from '../record/problem.ts'
import type { S3Settings } from './settings.ts'

/** The SDK is an optional package, loaded here and nowhere else. */

export interface S3Client {
  sdk: typeof Sdk
  client: Sdk.S3Client
}

/** `name` is that of the settings, for what a person is told. */
export async function openS3Client(
  settings: S3Settings,
  name: string,
  loadSdk: () => Promise<typeof Sdk> = () => import('@aws-sdk/client-s3'),
): Promise<S3Client> {
  const sdk = await loadSdk().catch((cause: unknown) => {
    const detail = `${name} needs the optional package @aws-sdk/client-s3, which is not installed: npm install @aws-sdk/client-s3`
    throw new Problem('request_invalid', detail, { cause })
  })
  return { sdk, client: new sdk.S3Client(await clientSettings(settings, name)) }
}

async function clientSettings(settings: S3Settings, name: string): Promise<Sdk.S3ClientConfig> {
  const { endpoint, access_key_id, secret_access_key_file, profile, ca_file, timeout_ms } = settings
  const kept = { keepAlive: true, maxSockets: 50 }
  // Of requests to S3 only: for the credentials of the machine's role the SDK asks its metadata service by connections of its own.
  const guarded = <A extends HttpAgent>(agent: A): A => (settings.allow_metadata_addresses ? agent : guard(agent))
  const secret = (await readNamed(`${name}.secret_access_key_file`, secret_access_key_file))?.toString().trim()
  const ca = await readNamed(`${name}.ca_file`, ca_file)
  // Elsewhere than at Amazon a region is part of the signature and of nothing else.
  const region = settings.region ?? (endpoint === undefined ? undefined : 'us-east-1')
  return {
    forcePathStyle: settings.path_style,
    maxAttempts: 3,
    // Checksums are ours, and whoever reads an object compares it with its name; many servers know no others than these.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 5_000,
      socketTimeout: timeout_ms,
      httpAgent: guarded(new HttpAgent(kept)),
      httpsAgent: guarded(new HttpsAgent({ ...kept, ...(ca === undefined ? {} : { ca }) })),
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    ...(access_key_id === undefined || secret === undefined
      ? {}
      : { credentials: { accessKeyId: access_key_id, secretAccessKey: secret } }),
  }
}

async function readNamed(name: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined
  try {
    return await readFile(file)
  } catch (cause) {
    throw new Problem('request_invalid', `${name}: ${file} cannot be read`, { cause })
  }
}
