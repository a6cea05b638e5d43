import { readFile } from 'node:fs/promises'
import { LogError } from '../log/log-error.ts'
import { parsePolicy, satisfies } from '../log/policy.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'

/** Whose signatures are believed, and whose cosignatures together are enough; without a policy none are asked for. */
export interface Trust {
  keys: readonly TrustedKey[]
  isQuorum?: (cosigners: readonly VerifierKey[]) => boolean
}

/** Keys of logs and witnesses come from the policy, beside those that were given. */
export async function readTrust(given: readonly TrustedKey[], file: string | undefined): Promise<Trust> {
  if (file === undefined) return { keys: given }
  const bytes = await readFile(file)
  try {
    const policy = parsePolicy(bytes)
    const named = [...policy.logs, ...policy.witnesses].map(({ key }) => key)
    return { keys: [...given, ...named], isQuorum: (cosigners) => satisfies(policy, cosigners) }
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause
    throw new Problem('request_invalid', `--policy ${file}: ${cause.message}`, { cause })
  }
}
