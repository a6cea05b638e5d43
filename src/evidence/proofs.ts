import { generationOf, ledgerKindOf } from '../record/record.ts'
import { encodeBase64 } from '../log/base64.ts'
import { consistencyProof, inclusionProof } from '../log/merkle-proof.ts'
import { perfectSubtrees } from '../log/merkle.ts'
import { printProof } from '../log/proof.ts'
import type { PackLedger, PackScope } from '../verify/pack-format.ts'
import { packNames } from '../verify/pack-format.ts'
import { type PackSources, readOne, readUnlessExpired } from './sources.ts'
import type { Zip } from './zip.ts'

/** What ties a pack to the signed log. */

/** A record and its tlog-proof, as `<name>.json` and `<name>.tlog-proof`. */
export async function addProven(
  zip: Zip,
  name: string,
  { ledger, size }: PackLedger,
  record: { seq: number; bytes: Uint8Array },
  note: string,
  sources: PackSources,
): Promise<void> {
  const hashes = await inclusionProof(record.seq, size, (nodes) => sources.nodes(ledger, nodes))
  await zip.add(`${name}.json`, record.bytes)
  await zip.add(`${name}.tlog-proof`, printProof({ index: record.seq, hashes, checkpoint: note }))
}

/**
 * Of one ledger: the checkpoint that everything leads to; those at both ends of the period with consistency proofs, for tools that know
 * nothing of packs; the edge of the tree at the start; the records around the period, which show that it was not cut short; time-stamps.
 */
export async function addLog(zip: Zip, of: PackLedger, note: string, sources: PackSources): Promise<void> {
  const { ledger, start, end, size } = of
  const name = (file: string): string => packNames.log(ledger, file)
  const nodes = (wanted: Parameters<PackSources['nodes']>[1]) => sources.nodes(ledger, wanted)
  await zip.add(name('checkpoint'), note)
  for (const [i, stamp] of (await sources.timestamps(ledger, end, size)).entries()) {
    if (stamp.size === 0) continue
    await zip.add(name(`stamp-${i + 1}.note`), stamp.note)
    await zip.add(name(`stamp-${i + 1}.tst`), stamp.token)
    await zip.add(name(`stamp-${i + 1}.consistency`), printConsistency(stamp.size, await consistencyProof(stamp.size, size, nodes))) // oxfmt-ignore
  }
  await zip.add(
    name('edge'),
    (await nodes(perfectSubtrees(0, start))).map((hash) => `${encodeBase64(hash)}\n`).join(''),
  )
  let last = 0
  for (const [file, at] of [
    ['start', start],
    ['end', Math.max(1, end)],
  ] as const) {
    const found = at === 0 || size === 0 ? undefined : await sources.checkpoints.atOrAfter(ledger, at)
    // Only one that the proofs reach; of an empty beginning there is nothing to prove.
    if (found === undefined || found.size > size || found.size === 0) continue
    await zip.add(name(`checkpoint.${file}`), found.note)
    if (last > 0) await zip.add(name('consistency.start-end'), printConsistency(last, await consistencyProof(last, found.size, nodes))) // oxfmt-ignore
    last = found.size
  }
  if (last > 0) await zip.add(name('consistency.end-newest'), printConsistency(last, await consistencyProof(last, size, nodes))) // oxfmt-ignore
  const before = start > 0 ? await readUnlessExpired(sources, ledger, start - 1) : undefined
  if (before !== undefined) await addProven(zip, name('before'), of, before, note, sources)
  if (end < size) await addProven(zip, name('after'), of, await readOne(sources, ledger, end), note, sources)
}

/** As in the body of a tlog-witness request. */
const printConsistency = (from: number, hashes: readonly Uint8Array[]): string =>
  `old ${from}\n${hashes.map((hash) => `${encodeBase64(hash)}\n`).join('')}`

/** The keys on record, each with its proof, and all of them one a line: to be compared with those that the reader trusts. */
export async function addKeys(
  zip: Zip,
  scope: PackScope,
  notes: ReadonlyMap<string, string>,
  sources: PackSources,
): Promise<void> {
  const vkeys = new Set<string>()
  for (const operations of scope.ledgers) {
    const note = notes.get(operations.ledger)
    if (ledgerKindOf(operations.ledger) !== 'operations' || note === undefined) continue
    const generation = generationOf(operations.ledger)
    const seqs: number[] = []
    for await (const { seq } of sources.records(operations.ledger, 0, operations.size, new Set(['key']))) seqs.push(seq)
    for (const seq of seqs) {
      const record = await readOne(sources, operations.ledger, seq)
      const name = `log/keys/${generation === 1 ? '' : `${generation}-`}${seq}`
      await addProven(zip, name, operations, record, note, sources)
      if (typeof record.fields['vkey'] === 'string') vkeys.add(record.fields['vkey'])
    }
  }
  await zip.add(packNames.keys, [...vkeys].map((vkey) => `${vkey}\n`).join(''))
  await zip.add(packNames.policy, await sources.policy())
}
