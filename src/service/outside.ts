import type { Config } from '../config.ts'
import type { HeadPlace } from './heads.ts'
import type { Policy } from '../log/policy.ts'
import type { Shelf } from '../publish/shelf.ts'
import { openShelf } from './publishing.ts'
import type { LedgerName } from '../record/record.ts'
import { shownBy } from '../vouching/cosign.ts'
import { type AskedWitness, openWitnesses } from './witnessing.ts'

/** What stands outside of the database and knows heads of ours: the published copy, and the witnesses that are asked. */
export interface Outside {
  shelf: Shelf | undefined
  witnesses: readonly AskedWitness[]
  /** Where to look whether this database is older than what was signed. */
  places: readonly HeadPlace[]
  close(): Promise<void>
}

/** Nothing is asked yet. */
export async function openOutside(
  config: Config,
  policy: Policy | undefined,
  originOf: (ledger: LedgerName) => string,
): Promise<Outside> {
  const shelf = await openShelf(config.publish)
  const witnesses = await openWitnesses(policy, config.witness).catch(async (error: unknown) => {
    await shelf?.close()
    throw error
  })
  const copy: HeadPlace[] =
    shelf === undefined ? [] : [{ name: shelf.name, onlyOurs: false, read: (ledger) => shelf.get(`${ledger}/checkpoint`) }] // oxfmt-ignore
  const shown = witnesses.map(({ name, asker }): HeadPlace => ({
    name: `witness ${name}`,
    // It shows what the log signed, or lies: then it must not be able to stop us.
    onlyOurs: true,
    read: (ledger, signal) => shownBy(asker, originOf(ledger), signal),
  }))
  return {
    shelf,
    witnesses,
    places: [...copy, ...shown],
    async close() {
      for (const { asker } of witnesses) await asker.close()
      await shelf?.close()
    },
  }
}
