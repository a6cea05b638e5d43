import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { closedDay } from '../../src/api/days.ts'

/** deploy/secops/copy-days.sh over a service that has only closed days, with a folder in place of a bucket. */

const script = join(import.meta.dirname, '../../deploy/secops/copy-days.sh')
const days = ['2027-11-28', '2027-11-29', '2027-11-30', '2027-12-01', '2027-12-02']
const recordsOf = (day: string): string => `{"id":"a","day":"${day}"}\n{"id":"b","day":"${day}"}\n`

let folder: string
let url: string
let fetched: string[]
const server = createServer((request, response) => {
  const asked = new URL(request.url ?? '', 'http://here')
  if (request.headers.authorization !== 'Bearer secret') return void response.writeHead(401).end()
  const file = /^\/v1\/feed\/unit\/days\/([\d-]+)\/records\.ndjson\.zst$/.exec(asked.pathname)?.[1]
  if (file !== undefined) {
    fetched.push(file)
    return void response.end(zstdCompressSync(recordsOf(file)))
  }
  const after = asked.searchParams.get('after') ?? ''
  const page = days.filter((day) => day > after).slice(0, 2) // pages that end before all is told
  const told = page.map(
    (day) =>
    closedDay.parse({ day, first_seq: 5, size: day.endsWith('29') ? 5 : 7, bytes: 1, manifest_sha256: 'a'.repeat(64), expired: day.endsWith('28') }), // oxfmt-ignore
  )
  response.end(JSON.stringify({ days: told, next: null }))
})

beforeEach(async () => {
  fetched = []
  folder = await mkdtemp(join(tmpdir(), 'proofline-days-'))
  await mkdir(join(folder, 'bucket'))
  const gcloud = `#!/bin/sh
for last; do :; done
path="${folder}/bucket/$(basename "$last")"
case "$2" in
  ls) test -e "$path" ;;
  cp) test -e "$path" || cp "$4" "$path" ;;
esac
`
  await writeFile(join(folder, 'gcloud'), gcloud)
  await chmod(join(folder, 'gcloud'), 0o755)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

function run(token = 'secret'): Promise<number | null> {
  const env = { PATH: `${folder}:${process.env['PATH']}`, PROOFLINE_URL: url, PROOFLINE_TOKEN: token }
  const child = spawn('sh', [script, 'unit', 'gs://bucket/proofline'], { env, stdio: 'ignore' })
  return new Promise((resolve) => child.once('exit', resolve))
}

it('copies each closed day that has records once, whole, under a name of its own, and what is there not again', async () => {
  expect(await run()).toBe(0)
  const names = ['unit.2027-11-30.ndjson.gz', 'unit.2027-12-01.ndjson.gz', 'unit.2027-12-02.ndjson.gz']
  expect((await readdir(join(folder, 'bucket'))).toSorted()).toEqual(names)
  for (const name of names)
    expect(gunzipSync(await readFile(join(folder, 'bucket', name))).toString()).toBe(recordsOf(name.slice(5, 15)))
  await rm(join(folder, 'bucket', names[1] ?? ''))
  expect(await run()).toBe(0)
  expect(fetched).toEqual(['2027-11-30', '2027-12-01', '2027-12-02', '2027-12-01'])
})

it('fails where it is refused, and leaves nothing behind', async () => {
  expect(await run('wrong')).not.toBe(0)
  expect(await readdir(join(folder, 'bucket'))).toEqual([])
})
