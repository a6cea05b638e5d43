import { readFile } from 'node:fs/promises'
import { LogError } from '../log/log-error.ts'
import { producerOfKey, signRunStatement } from '../log/run-statement.ts'
import { parsePrivateKey } from '../log/vkey.ts'
import type { ClientSettings } from '../producer/client.ts'
import type { Plan } from '../producer/upload.ts'
import { Problem } from '../record/problem.ts'

/** Who signs what is sent, and for which run. */
export interface Signing {
  keyFile: string
  run: string
  repository: string
  commit: string
}

export const signingOf = (keyFile: string, { run, declaration: { repository, commit } }: Plan): Signing => ({
  keyFile,
  run,
  repository,
  commit,
})

const validMs = 600_000

/** Each request is signed by itself, with the digest of its body: what is repeated later is signed anew. */
export async function signRequests({
  keyFile,
  run,
  repository,
  commit,
}: Signing): Promise<NonNullable<ClientSettings['authorize']>> {
  const text = await readFile(keyFile, 'utf8')
  const key = await parsePrivateKey(text.trim()).catch((cause: unknown) => {
    if (cause instanceof LogError) throw new Problem('request_invalid', `${keyFile}: ${cause.message}`, { cause })
    throw cause
  })
  const producer = producerOfKey(key)
  if (producer === undefined)
    throw new Problem(
      'request_invalid',
      `${keyFile} is the key of ${key.name}: make one with \`proofline key producer create\``,
    )
  return async ({ method, path, body, sha256 }) => {
    if (body !== undefined && sha256 === undefined) throw new Error(`${method} ${path} says no digest of its body`)
    const at = Date.now()
    const statement = {
      schema: 'proofline.run-statement.v1' as const,
      producer,
      run,
      repository,
      commit,
      request: `${method} ${path}`,
      sha256: (await sha256?.()) ?? emptySha256,
      issued_at: new Date(at).toISOString(),
      expires_at: new Date(at + validMs).toISOString(),
    }
    return `Statement ${await signRunStatement(statement, key)}`
  }
}

const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
