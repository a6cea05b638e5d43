import { parseArgs } from 'node:util'
import { verifyRelease } from './verify.ts'

/** `npm run release:verify -- FOLDER --key VKEY` */
const { positionals, values } = parseArgs({ allowPositionals: true, options: { key: { type: 'string' } } })
const [folder] = positionals
if (folder === undefined || values.key === undefined) {
  process.stderr.write('usage: npm run release:verify -- FOLDER --key VKEY\n')
  process.exit(2)
}
try {
  for (const line of await verifyRelease(folder, values.key)) process.stdout.write(`${line}\n`)
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
