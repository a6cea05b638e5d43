import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Keeper } from './keeping.ts'
import type { KeptKey } from '../ledger/key-care.ts'
import { printTrustedKey } from '../log/trusted-key.ts'
import { printKeyId } from '../log/vkey.ts'
import { printTime } from '../record/record.ts'
import type { Finding } from '../watch/alerts.ts'

const dayMicros = 86_400_000_000
/** So long an old key may sign beside the new one before somebody is asked to retire it. */
const besideDays = 90

/** Keys grow old and are told of; and whoever verifies on this machine finds the verifier keys, also those of a signer elsewhere. */
export const keepKeys: Keeper = async ({ config, keys, log, signal }) => {
  const folder = join(config.data_dir, 'keys')
  const copy = (): Promise<void> =>
    keys.list().then((list) => writeCopies(folder, list)).catch((error: unknown) => log.warn('keys.uncopied', { error: String(error) })) // oxfmt-ignore
  if (config.signer.socket !== undefined) {
    await copy()
    const timer = setInterval(() => void copy(), 60_000) // a rotation on another node
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  }
  let known: Finding[] = []
  return async () => {
    try {
      known = findOld(await keys.list(), config.signer.rotate_after_days, Date.now() * 1000)
    } catch (error) {
      // A signer that is away is told of by checkpoint_stale; no reason to find nothing else.
      log.warn('keys.unread', { error: String(error) })
    }
    return known
  }
}

/** Pure. By the time of the record of a key: when it was made is known to its file alone. */
export function findOld(keys: readonly KeptKey[], afterDays: number, now: number): Finding[] {
  return keys.flatMap(({ of, key, state, recordedAt }, i) => {
    const name = `${of} ${printKeyId(key.id)}`
    const since = (at: number): string => `${Math.floor((now - at) / dayMicros)} days ago, at ${printTime(at)}`
    // The one behind it in the list is the one that follows.
    const followedAt = keys[i + 1]?.recordedAt
    if (state === 'signing' && recordedAt !== undefined && now - recordedAt > afterDays * dayMicros)
      return [
        { code: 'key_expiring', subject: name, detail: `the key was put on record ${since(recordedAt)}: rotate it` },
      ]
    if (state === 'beside' && followedAt !== undefined && now - followedAt > besideDays * dayMicros)
      return [{ code: 'key_expiring', subject: name, detail: `the key was followed by another ${since(followedAt)}, and still signs: retire it` }] // oxfmt-ignore
    return []
  })
}

/** The same files as a signer in the process has. A crash on the way leaves the old file, and the next look replaces it. */
async function writeCopies(folder: string, keys: readonly KeptKey[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const [of, list] of Map.groupBy(keys, (kept) => kept.of)) {
    const path = join(folder, `${of.replaceAll('/', '.')}.vkey`)
    const text = list.map(({ key }) => `${printTrustedKey(key)}\n`).join('')
    if ((await readFile(path, 'utf8').catch(() => undefined)) === text) continue
    await writeFile(`${path}.${process.pid}.new`, text)
    await rename(`${path}.${process.pid}.new`, path)
  }
}
