import { join } from 'node:path'
import { createGuard } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { serveSigner } from '../../src/signing/serve-signer.ts'
import { createSigner } from '../../src/signing/signer.ts'

// A signer on its own, for tests that kill it: `signer-process.ts <folder>` listens on <folder>/s and then prints a line.
const [folder = ''] = process.argv.slice(2)
const origin = (ledger: string): string => `localhost/${ledger}`
const guard = await createGuard(join(folder, 'guard'))
const signer = createSigner({
  keys: createKeys({ folder: join(folder, 'keys'), originOf: origin, statementName: 'localhost/main/statement' }),
  guard,
  origin,
})
await serveSigner(signer, join(folder, 's'), new AbortController().signal)
console.log('listening')
