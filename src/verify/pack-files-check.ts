import { openStatement } from '../log/statement.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { type PackFile, manifestPayloadType, packNames, parseManifest, printSums } from './pack-format.ts'
import { CannotCheck, type PackCheck, type PackSource, attempt, readText } from './pack-source.ts'

/** That the files are those that the statement key signed: none missing, none changed, none more. */
export async function checkFiles(source: PackSource, statementKeys: readonly VerifierKey[]): Promise<PackCheck[]> {
  let files: PackFile[] = []
  const checks = [
    await attempt('manifest', async () => {
      const manifest = await readText(source, packNames.manifest)
      files = parseManifest(manifest)
      const envelope = await readText(source, packNames.signature)
      if (statementKeys.length === 0)
        throw new CannotCheck(
          'no statement key is trusted: give --key, or one for <org>/operations, whose log names it',
        )
      const { payloadType, payload, keys, isRetired } = await openStatement(envelope, statementKeys)
      if (payloadType !== manifestPayloadType) throw new Error(`the signature is over ${payloadType}, not a manifest`)
      if (new TextDecoder().decode(payload) !== manifest) throw new Error('the signed manifest is another one')
      const signed = `${files.length} files, signed by ${keys.map(({ name }) => name).join(', ')}`
      return isRetired ? `${signed}, with a key that is retired by now: only what the log proves is sure` : signed
    }),
  ]
  const unlisted = new Set<string>([packNames.manifest, packNames.signature])
  const named = new Set(files.map(({ name }) => name))
  const wrong: string[] = []
  for (const name of source.names) if (!named.has(name) && !unlisted.has(name)) wrong.push(`extra file ${name}`)
  for (const { name, bytes, sha256 } of files) {
    if (!source.names.includes(name)) {
      wrong.push(`missing file ${name}`)
      continue
    }
    // Bytes that cannot even be unpacked are a changed file, not a fault of ours.
    const found = await source
      .digest(name)
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    if (typeof found === 'string') {
      wrong.push(`unreadable file ${name}: ${found}`)
      continue
    }
    if (found.sha256 === sha256 && found.bytes === bytes) continue
    const what = name.startsWith('artifacts/') ? 'blob-mismatch' : 'changed file'
    wrong.push(`${what} ${name}: expected SHA-256 ${sha256}, found ${found.sha256}`)
  }
  checks.push(
    await attempt('files', async () => {
      if (wrong.length > 0)
        throw new Error(wrong.slice(0, 20).join('; ') + (wrong.length > 20 ? `; and ${wrong.length - 20} more` : ''))
      const listed = files.filter(({ name }) => name !== packNames.sums)
      if ((await readText(source, packNames.sums)) !== printSums(listed)) throw new Error(`${packNames.sums} differs from the manifest`) // oxfmt-ignore
      return `none missing, changed or more`
    }),
  )
  return checks
}
