import { readFileSync } from 'node:fs'
import { findSecrets } from './secrets.ts'

/** `node test/support/search-output.ts FILE`: what a whole run of the tests printed, searched for secrets. For .ci/run. */
const [file = ''] = process.argv.slice(2)
const found = readFileSync(file, 'utf8').split('\n').flatMap((line, at) => findSecrets(line).map((what) => `line ${at + 1}: ${what}`)) // oxfmt-ignore
for (const one of found.slice(0, 20)) process.stderr.write(`a secret was printed: ${one}\n`)
process.exitCode = found.length === 0 ? 0 : 1
