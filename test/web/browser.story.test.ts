import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { browserFile, browserFlags } from '../support/browser.ts'
import { temporaryFolder } from '../support/service.ts'
import { runChecks, type Vectors } from './checks.ts'

/** The pure rooms in a browser as they stand: types stripped file by file, no bundler, and one file served for another, as ROOMS of the page say. */

const root = join(import.meta.dirname, '../..')
const vectorsFile = join(root, 'test/log/tlog-vectors.json')

const page = `<!doctype html><script type="module">
  const answer = await (async () => {
    const { runChecks } = await import('/test/web/checks.ts')
    return runChecks(await (await fetch('/vectors')).json())
  })().catch((error) => ({ error: String(error?.stack ?? error) }))
  await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) })
</script>`

interface Served {
  url: string
  files: string[]
  answer: Promise<unknown>
  close(): void
}

async function servePage(): Promise<Served> {
  const files: string[] = []
  const answer = Promise.withResolvers<unknown>()
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    const send = (type: string, body: string): void => void response.writeHead(200, { 'content-type': type }).end(body)
    if (path === '/') return send('text/html; charset=utf-8', page)
    if (path === '/vectors') return send('application/json', readFileSync(vectorsFile, 'utf8'))
    if (path === '/answer') {
      const parts: Buffer[] = []
      request
        .on('data', (part: Buffer) => parts.push(part))
        .on('end', () => {
          send('text/plain', '')
          answer.resolve(JSON.parse(Buffer.concat(parts).toString('utf8')))
        })
      return
    }
    if (!/^\/(src|test\/web)\/[a-z0-9/-]+\.ts$/.test(path)) return void response.writeHead(404).end()
    files.push(path.slice(1))
    const file = path === '/src/record/sha256.ts' ? '/src/web/sha256.ts' : path
    readFile(join(root, file), 'utf8').then((text) => send('text/javascript', stripTypeScriptTypes(text)), () => response.writeHead(404).end()) // oxfmt-ignore
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    files,
    answer: answer.promise,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

describe.skipIf(browserFile === undefined)('log, verify and record in Chromium (skipped where there is none)', () => {
  it('run unchanged and give the answers that node gives', async () => {
    const served = await servePage()
    const folder = await temporaryFolder('chromium')
    const browser = spawn(browserFile ?? '', [...browserFlags, `--user-data-dir=${folder.path}`, served.url], {
      stdio: 'ignore',
      detached: true,
    })
    try {
      const ended = new Promise<never>((_, reject) =>
        browser.once('exit', (code) => reject(new Error(`Chromium ended with ${code}`))),
      )
      ended.catch(() => {})
      const found = await Promise.race([served.answer, ended])
      const vectors = JSON.parse(await readFile(vectorsFile, 'utf8')) as Vectors
      const wanted = await runChecks(vectors)
      expect(found).toEqual(JSON.parse(JSON.stringify(wanted)))
      expect(wanted).toMatchObject({ included: vectors.inclusion.map(() => true), consistent: vectors.consistency.map(() => true), proof: true, whole: { signed: 300, differences: [] }, receipt: [] }) // oxfmt-ignore
      expect(wanted['altered']).toMatchObject({ differences: [{ seq: 77 }, { seq: 77, kind: 'leaf-mismatch' }] })
      expect(served.files).toContain('src/record/sha256.ts')
    } finally {
      if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL')
      served.close()
      await folder.remove()
    }
  })
})
