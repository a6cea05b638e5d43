import { openCheckpoint } from '../log/checkpoint.ts'
import { ledgerKindOf } from '../record/record.ts'
import { seedOf } from './pack-draw.ts'
import { type PackScope, packNames } from './pack-format.ts'
import type { PackTrust } from './pack-log-check.ts'
import { CannotCheck, type PackCheck, type PackSource, attempt, readText } from './pack-source.ts'

/** That the seed is the one that scope.json says it is: given by the auditor, or the roots of signed checkpoints at the period's end. */
export function checkSeed(
  source: PackSource,
  { question, seed, ledgers }: PackScope,
  trust: PackTrust,
): Promise<PackCheck> {
  return attempt('seed', async () => {
    if (seedOf(seed.text) !== seed.sha256) throw new Error('the seed is not the SHA-256 of its text')
    if (question.seed !== 'root') {
      if (seed.from !== 'given' || seed.text !== question.seed) throw new Error(`the seed is not ${question.seed}, which was asked for`) // oxfmt-ignore
      return 'as given'
    }
    let text = ''
    for (const { ledger, origin } of ledgers) {
      const name = packNames.log(ledger, 'checkpoint.end')
      if (!['unit', 'integration'].includes(ledgerKindOf(ledger)) || !source.names.includes(name)) continue
      if (!trust.keys.some((key) => key.type === 1 && key.name === origin)) throw new CannotCheck(`no key is trusted for ${origin}`) // oxfmt-ignore
      const note = await readText(source, name)
      const { cosignatures } = await openCheckpoint(note, origin, trust.keys)
      if (seed.from === 'witnessed root' && trust.isQuorum?.(cosignatures.map(({ key }) => key)) !== true)
        throw new CannotCheck(`the root of ${ledger} is said to be witnessed: give the policy that says by whom`)
      text += note.slice(0, note.lastIndexOf('\n\n') + 1)
    }
    if (text !== seed.text) throw new Error('the seed is not made of the checkpoints at the end of the period')
    return seed.from === 'root'
      ? 'from the roots at the end of the period, which no witness saw'
      : 'from witnessed roots'
  })
}
