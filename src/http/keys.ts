import { type Principal, may } from '../access/principal.ts'
import { type KeptKeyTold, listKeys, retireKey, rotateKey } from '../api/keys.ts'
import type { KeptKey, KeyCare } from '../ledger/key-care.ts'
import { printKeyId, printVkey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerKindOf, printTime } from '../record/record.ts'
import type { RecordCommand } from '../watch/commands.ts'
import type { Mount } from './mount.ts'

export interface KeysDeps {
  keys: Pick<KeyCare, 'list' | 'rotate' | 'retire'>
  ledgers: readonly LedgerName[]
  guardId: () => Promise<string>
  /** Commands are on record before they are carried out. */
  recordCommand: RecordCommand
}

/** Keys are about all repositories, so a credential that is bound to some sees and changes none. */
export function mountKeys(mount: Mount, { keys, ledgers, guardId, recordCommand }: KeysDeps): void {
  const demand = (who: Principal, scope: 'operate' | 'audit' = 'operate'): void => {
    if (may(who, 'operate', {}) || may(who, scope, {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories')
  }
  const ownerOf = (of: string): LedgerName | 'statement' => {
    const found = of === 'statement' ? of : ledgers.findLast((ledger) => ledgerKindOf(ledger) === of)
    if (found === undefined) throw new Problem('not_found', `there is no ledger ${of}`)
    return found
  }

  mount(listKeys, async ({ who }) => {
    demand(who, 'audit')
    return { body: { guard: await guardId(), keys: (await keys.list()).map(told) } }
  })

  mount(rotateKey, async ({ who, params: { of }, body: { replaces, at_once: atOnce, vkey, reason } }) => {
    demand(who)
    const owner = ownerOf(of)
    await recordCommand({ who, command: 'key.rotate', target: of, reason, detail: { replaces, at_once: atOnce } })
    const { changed, keys: now } = await keys.rotate(owner, { replaces, atOnce, vkey })
    return { body: { of, changed, keys: now.map(told) } }
  })

  mount(retireKey, async ({ who, params: { of }, body: { vkey, until, reason } }) => {
    demand(who)
    const owner = ownerOf(of)
    await recordCommand({ who, command: 'key.retire', target: of, reason, detail: { vkey, until } })
    const { changed, keys: now } = await keys.retire(owner, { vkey, until })
    return { body: { of, changed, keys: now.map(told) } }
  })
}

const told = ({ of, key, recordedAt, state }: KeptKey): KeptKeyTold => ({
  of,
  vkey: printVkey(key),
  id: printKeyId(key.id),
  from: key.from ?? null,
  until: key.until ?? null,
  state,
  recorded_at: recordedAt === undefined ? null : printTime(recordedAt),
})
