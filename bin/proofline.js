#!/usr/bin/env node
// Starts the program from a checkout (src/cli.ts, run as it is) or from the published package (dist/cli.js). Written so that any node of
// the last ten years can at least say what is wrong: a newer one that lies in node_modules is used instead of one that is too old.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))))
const source = join(root, 'src', 'cli.ts')
const entry = existsSync(source) ? source : join(root, 'dist', 'cli.js')

/** zstd dictionaries and undici 8: >= 22.19 < 23, or >= 24.6. */
function isUsable(version) {
  const [major, minor] = version.split('.').map(Number)
  return (major === 22 && minor >= 19) || (major === 24 && minor >= 6) || major > 24
}

/** The `node` package that npm can install beside this one, and beside whoever depends on it. */
function findNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  for (let folder = root; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', 'node', 'bin', name)
    if (existsSync(found)) return found
    if (dirname(folder) === folder) return undefined
  }
}

if (isUsable(process.versions.node)) {
  // Compiled code is kept from start to start, in the user's own folder: in the shared temporary one others could plant it.
  if (module.enableCompileCache !== undefined)
    module.enableCompileCache(join(homedir(), '.cache', 'proofline', 'compiled'))
  await import(pathToFileURL(entry).href)
} else {
  const node = process.env.PROOFLINE_RESTARTED === undefined ? findNode() : undefined
  if (node === undefined) {
    process.stderr.write(
      `proofline: node ${process.versions.node} is too old: 22.19 or later of 22, or 24.6 or later, is needed (npm install node@26 beside it will do)\n`,
    )
    process.exit(2)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, PROOFLINE_RESTARTED: '1' },
  })
  // A terminal sends Ctrl-C to both processes: passing it on would be a second one, which means "at once". Others reach this one only.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`proofline: cannot start ${node}: ${error.message}\n`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) process.removeAllListeners(name)
    process.kill(process.pid, signal) // ends as the child did, so that whoever waits sees the signal
  })
}
