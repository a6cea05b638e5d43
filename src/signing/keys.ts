import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { verifyEd25519 } from '../log/ed25519.ts'
import { parseTrustedKeys } from '../log/trusted-key.ts'
import { parseVkey, printVkey } from '../log/vkey.ts'
import type { SigningKey, VerifierKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { ignoreAbsent, realFileEffects, replaceFile } from './durable-file.ts'
import type { FileEffects } from './durable-file.ts'
import { destroySecret, makeSecret, putOnce, readSecrets } from './key-files.ts'
import { newestOf, printPlan } from './key-plan.ts'
import type { KeyOwner, KeyPlan } from './key-plan.ts'

/**
 * The Ed25519 keys of the ledgers and of the org's statements. `<org>.<ledger>.vkey`, for everybody, is the plan: one line a key with the
 * sizes that it signs, replaced in one step, and what verifiers read is what the signer does. The secrets lie beside it, or outside: in a
 * KMS that a command asks. A key's name is the origin of its log; that of statements is `<public host>/<org>/statement`.
 */
export interface Keys {
  /** Undefined when there is none yet. Throws when a file is damaged, another log's, or a secret readable by others than owner and group. */
  open(of: KeyOwner): Promise<Keyring | undefined>
  /** Makes the first key, durable when this resolves; gives the one that is there when another process was faster. */
  make(of: KeyOwner): Promise<Keyring>
  /** A key to follow: a new secret that no plan names yet, or the one outside that `vkey` names. */
  prepare(of: KeyOwner, vkey: string | undefined): Promise<SigningKey>
  /** Durable when it resolves. When it rejects, either plan may stand: open again. */
  change(of: KeyOwner, plan: KeyPlan): Promise<Keyring>
  /** Destroys a secret that signs no more. */
  forget(of: KeyOwner, key: VerifierKey): Promise<void>
}

export interface Keyring {
  plan: KeyPlan
  /** Of every key of the plan whose secret is still there, by its verifier key. Each checks what it signs. */
  signing: ReadonlyMap<string, SigningKey>
}

/** Signs with a key that lies elsewhere: 64 bytes. */
export type ExternalSign = (vkey: string, message: Uint8Array) => Promise<Uint8Array>

export interface KeysSettings {
  /** Made when it is not there. */
  folder: string
  /** `<public host>/<org>/<ledger>` */
  originOf: (ledger: LedgerName) => string
  /** `<public host>/<org>/statement` */
  statementName: string
  /** For keys of the plan without a secret here. */
  external?: ExternalSign | undefined
  effects?: FileEffects
}

export function createKeys({
  folder,
  originOf,
  statementName,
  external,
  effects = realFileEffects,
}: KeysSettings): Keys {
  const nameOf = (of: KeyOwner): string => (of === 'statement' ? statementName : originOf(of))
  const stemOf = (of: KeyOwner): string =>
    join(folder, of === 'statement' ? statementName.split('/').slice(-2).join('.') : of.replaceAll('/', '.'))

  const toRing = (plan: KeyPlan, secrets: readonly SigningKey[]): Keyring => {
    const signing = new Map<string, SigningKey>()
    for (const key of plan) {
      const vkey = printVkey(key)
      const secret = secrets.find((one) => printVkey(one) === vkey)
      if (secret !== undefined) signing.set(vkey, checked(secret))
      else if (external !== undefined) signing.set(vkey, checked({ ...parseVkey(vkey), sign: (message) => external(vkey, message) })) // oxfmt-ignore
    }
    return { plan, signing }
  }

  const open = async (of: KeyOwner): Promise<Keyring | undefined> => {
    const [stem, name] = [stemOf(of), nameOf(of)]
    const text = await readFile(`${stem}.vkey`, 'utf8').catch(ignoreAbsent)
    const secrets = await readSecrets(stem, name)
    if (text === undefined) {
      const [first, ...more] = secrets
      if (first === undefined) return undefined
      // Which of several signs what stood in that file alone: whoever guesses may sign with a key that was retired.
      if (more.length > 0) throw new Error(`${stem}.vkey is gone, and there is more than one key: bring it back`)
      await putOnce(`${stem}.vkey`, printPlan([first]), 0o644)
      return open(of)
    }
    const plan = readPlan(`${stem}.vkey`, text, name)
    const first = secrets.find(({ id }) => plan.some((key) => key.id === id))
    if (secrets.length > 0 && first === undefined) throw new Error(`${stem}.vkey does not belong to the key beside it`)
    const ring = toRing(plan, secrets)
    if (!ring.signing.has(printVkey(newestOf(plan))))
      throw new Problem(
        'request_invalid',
        `the secret of ${printVkey(newestOf(plan))} is neither in ${folder} nor behind signer.command`,
      )
    return ring
  }

  const opened = async (of: KeyOwner): Promise<Keyring> => {
    const ring = await open(of)
    if (ring === undefined) throw new Error(`the key of ${nameOf(of)} vanished`)
    return ring
  }

  return {
    open,
    async make(of) {
      // With a KMS the keys of the logs are there; made here they would lie in a file after all. Statements may be larger than what a KMS takes.
      if (external !== undefined && of !== 'statement')
        throw new Problem(
          'request_invalid',
          `signer.command signs: put the verifier key of ${nameOf(of)} into ${stemOf(of)}.vkey`,
        )
      await makeSecret(stemOf(of), nameOf(of), true)
      return opened(of)
    },
    async prepare(of, vkey) {
      // A secret that a crash left behind is left there: told apart from one whose plan was lost by nobody, and it signs nothing.
      if (vkey === undefined) return checked(await makeSecret(stemOf(of), nameOf(of), false))
      const key = parseVkey(vkey)
      if (external === undefined || key.type !== 1 || key.name !== nameOf(of))
        throw new Problem('request_invalid', `${vkey} is no key of ${nameOf(of)} behind signer.command`)
      return checked({ ...key, sign: (message) => external(vkey, message) })
    },
    async change(of, plan) {
      await replaceFile(effects, `${stemOf(of)}.vkey`, printPlan(plan), 0o644)
      return opened(of)
    },
    forget: (of, key) => destroySecret(stemOf(of), nameOf(of), key),
  }
}

function readPlan(path: string, text: string, name: string): KeyPlan {
  const plan = parseTrustedKeys(text)
  const other = plan.find((key) => key.name !== name)
  if (other !== undefined) throw new Problem('request_invalid', `${path} has a key of ${other.name}, not of ${name}`)
  // As it is written: the first from the beginning, each other from a size, all but two retired.
  const isWhole = plan.length > 0 && plan.every(({ from, type }, i) => type === 1 && (from === undefined) === (i === 0))
  const isRetired = plan.slice(0, -2).every(({ until }) => until !== undefined) && plan.at(-1)?.until === undefined
  if (!isWhole || !isRetired) throw new Error(`${path} is damaged: one line a key, the newest without until=`)
  return plan
}

/** Every signature is verified before it leaves, whoever made it: memory fails, and a KMS may have been given another key. */
function checked(key: SigningKey): SigningKey {
  return {
    ...key,
    async sign(message) {
      const signature = await key.sign(message)
      if (await verifyEd25519(key.publicKey, message, signature)) return signature
      throw new Error(`what signs for ${printVkey(key)} gave a signature that does not verify`)
    },
  }
}
