import { randomBytes } from 'node:crypto'
import { createSigningKey, createVerifierKey, printPrivateKey } from '../log/vkey.ts'
import { producerKeyName } from '../log/run-statement.ts'
import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import * as store from './producer-store.ts'
import { createRecent } from './recent.ts'
import { openRunStatement } from './run-statement.ts'
import { type Principal, whyNoRepository } from './principal.ts'

/** Keys of CI systems without OIDC. The private one is made here, shown once and stored nowhere, or never seen at all. */
export interface Producers {
  /**
   * Who made the statement of an Authorization header; throws a Problem as `openRunStatement` does. A key of another org is not found: what
   * is wrong with a statement would tell that it is there.
   */
  authenticate(org: string, statement: string): Promise<Principal>
  /** `privateKey` is undefined where the public key was given. */
  create(wish: ProducerWish): Promise<{ privateKey: string | undefined; producer: store.ProducerRow }>
  list(org: string): Promise<store.ProducerRow[]>
  /** Holds at once on this node and within `cacheMs` on the others. False when there is no such key, or it was revoked before. */
  revoke(org: string, id: string): Promise<boolean>
}

export interface ProducerWish {
  org: string
  label: string
  repositories: readonly string[]
  /** Default 365; at most 1,100. */
  days?: number
  /** 32 bytes, where the private key was made elsewhere. */
  publicKey?: Uint8Array
}

const dayMicros = 86_400_000_000
const maxDays = 1_100

export function createProducers(db: Queryable, options: { now?: () => Date; cacheMs?: number } = {}): Producers {
  const { now = () => new Date(), cacheMs = 5_000 } = options
  const recent = createRecent((id) => store.findProducer(db, id), cacheMs, now)
  return {
    authenticate(org, statement) {
      const findOwn = async (id: string) => {
        const row = await recent.find(id)
        return row?.org === org ? row : undefined
      }
      return openRunStatement(statement, findOwn, now())
    },

    async create({ org, label, repositories, days = 365, publicKey: given }) {
      if (!(days > 0 && days <= maxDays))
        throw new Problem('request_invalid', `a producer key lives more than 0 and at most ${maxDays} days`)
      if (repositories.length === 0)
        throw new Problem('request_invalid', 'a producer key is bound to repositories: name one')
      for (const why of repositories.map(whyNoRepository))
        if (why !== undefined) throw new Problem('request_invalid', why)
      const id = randomBytes(8).toString('hex')
      const name = producerKeyName(id)
      const seed = randomBytes(32)
      const key = given === undefined ? await createSigningKey(name, 1, seed) : createVerifierKey(name, 1, given)
      const createdAt = now().getTime() * 1000
      const row = {
        id,
        org,
        label,
        publicKey: Buffer.from(key.publicKey),
        repositories: [...repositories],
        createdAt,
        expiresAt: createdAt + Math.round(days * dayMicros),
      }
      await store.insertProducer(db, row)
      recent.forget(id)
      return {
        privateKey: given === undefined ? printPrivateKey(key, seed) : undefined,
        producer: { ...row, revokedAt: null },
      }
    },

    list: (org) => store.listProducers(db, org),

    async revoke(org, id) {
      const revoked = await store.insertProducerRevocation(db, org, id, now().getTime() * 1000)
      recent.forget(id)
      return revoked
    },
  }
}
