import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePrivateKey, printVkey } from '../../src/log/vkey.ts'

// A KMS as a program, for tests: `kms-program.ts <folder> <vkey>` signs standard input with the key of that name in <folder>/kms, in the way
// that <folder>/mode says.
const [folder = '', vkey = ''] = process.argv.slice(2)
const mode = readFileSync(join(folder, 'mode'), 'utf8').trim()
const keys = await Promise.all(
  readFileSync(join(folder, 'kms'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => parsePrivateKey(line)),
)
const key = keys.find((one) => printVkey(one) === vkey)
const chunks: Buffer[] = []
if (mode !== 'deaf') for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
const message = Buffer.concat(chunks)
const sign = async (bytes: Uint8Array): Promise<string> => {
  if (key === undefined) throw new Error(`no key ${vkey}`)
  return Buffer.from(await key.sign(bytes)).toString('base64')
}
const answers: Record<string, () => Promise<void>> = {
  good: async () => console.log(await sign(message)),
  'no newline': async () => void process.stdout.write(await sign(message)),
  'other bytes': async () => console.log(await sign(Buffer.concat([message, Buffer.from('x')]))),
  zeroes: async () => console.log(Buffer.alloc(64).toString('base64')),
  short: async () => console.log((await sign(message)).slice(0, 40)),
  url: async () => console.log((await sign(message)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')),
  words: async () => console.log('signed, thank you'),
  nothing: async () => {},
  flood: async () => {
    for (;;) if (!process.stdout.write('A'.repeat(65_536))) await new Promise((drained) => process.stdout.once('drain', drained)) // oxfmt-ignore
  },
  refuses: async () => {
    console.error('AccessDenied: the key is disabled')
    process.exit(1)
  },
  hangs: async () => {
    // With a child that holds the pipe, as a shell script has one.
    spawn(process.execPath, ['-e', `console.error(process.pid); setTimeout(() => {}, 60000)`], { stdio: 'inherit' })
    await new Promise((done) => setTimeout(done, 60_000))
  },
  deaf: async () => process.exit(3),
}
await answers[mode]?.()
