import { readFile } from 'node:fs/promises'
import { type Config, ConfigError } from './config.ts'
import { LogError } from './log/log-error.ts'
import { type Policy, parsePolicy, satisfies } from './log/policy.ts'

/** The policy that `log.policy` names. Throws ConfigError for one that is none, or whose quorum nobody who can be asked could fill. */
export async function readPolicy({ log: { policy: path } }: Pick<Config, 'log'>): Promise<Policy | undefined> {
  if (path === undefined) return undefined
  const policy = parse(path, await read(path))
  for (const { name, url } of policy.witnesses)
    if (url !== undefined && !/^https?:\/\/[^\s?#]+$/.test(url))
      throw new ConfigError(`log.policy: ${path}: the address of witness ${name} is no http or https URL`)
  const askable = policy.witnesses.filter(({ url }) => url !== undefined)
  if (!satisfies(policy, askable.map(({ key }) => key)))
    throw new ConfigError(`log.policy: ${path}: the quorum needs witnesses that have no address here`)
  return policy
} // oxfmt-ignore

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw new ConfigError(`log.policy: ${path}: ${error instanceof Error ? error.message : String(error)}`)
  })
}

function parse(path: string, text: Buffer): Policy {
  try {
    return parsePolicy(text)
  } catch (error) {
    if (error instanceof LogError) throw new ConfigError(`log.policy: ${path}: ${error.message}`)
    throw error
  }
}
