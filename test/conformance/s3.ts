import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as sdk from '@aws-sdk/client-s3'
import { freePort } from './free-port.ts'
import { runConformance } from './run-conformance.ts'

/** Runs the contract of object storage against Versity S3 Gateway; undefined when all of it holds, else what does not. */
export async function checkS3(program: string, folder: string): Promise<string | undefined> {
  const keys = { accessKeyId: 'conformance', secretAccessKey: 'conformance-secret' }
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const [store, versions] = [join(folder, 's3'), join(folder, 's3-versions')]
  for (const path of [store, versions]) await mkdir(path)
  const server = spawn(
    program,
    ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--versioning-dir', versions, store],
    {
      env: { ...process.env, ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey },
      stdio: 'ignore',
    },
  )
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const client = new sdk.S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: keys })
  try {
    const bucket = 'proofline-artifacts'
    await whenReady(server, () =>
      client.send(new sdk.CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true })),
    )
    return runConformance('s3', {
      TEST_S3_ENDPOINT: endpoint,
      TEST_S3_BUCKET: bucket,
      TEST_S3_KEY: keys.accessKeyId,
      TEST_S3_SECRET: keys.secretAccessKey,
    })
  } finally {
    client.destroy()
    server.kill()
    await ended
  }
}

async function whenReady(server: ChildProcess, ask: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await ask()
      return
    } catch (error) {
      if (tries === 50 || server.exitCode !== null) throw error
      await sleep(200)
    }
  }
}
