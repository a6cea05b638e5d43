import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { readEnvironment } from '../producer/ci.ts'
import { type Client, createClient } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import type { LogSource } from '../verify/log-source.ts'
import { version } from './version.ts'

/** The three places that a log is read from. */

export interface OpenSource extends LogSource {
  close(): void
}

/** A folder, or an address that anybody may read: no credential is sent there. */
export function openPublished(place: string, signal: AbortSignal): OpenSource {
  if (!/^https?:\/\//.test(place)) return openFolder(place.startsWith('file:') ? fileURLToPath(place) : resolve(place))
  const client = createClient({
    url: place,
    token: undefined,
    env: readEnvironment().env,
    userAgent: `proofline/${version()}`,
  })
  return { ...fromClient(client, '', signal), close: client.close }
}

/** The log of a running service. */
export function fromService(client: Client, signal: AbortSignal): LogSource {
  return fromClient(client, '/log', signal)
}

/** More than any bundle of ours: 256 records of 4,900 bytes. */
const maxBytes = 16_777_728

function fromClient(client: Client, prefix: string, signal: AbortSignal): LogSource {
  const expired = new Set<string>()
  return {
    isExpired: (path) => expired.has(path),
    name: `${client.url}${prefix}`,
    mayBeCached: true,
    async get(path, fresh) {
      const headers = fresh ? { 'cache-control': 'no-cache' } : {}
      try {
        const answer = await client.send({ method: 'GET', path: `${prefix}/${path}`, headers, signal })
        // tlog-tiles lets a server send gzip without having been asked for it.
        if (answer.headers['content-encoding'] !== 'gzip') return answer.bytes
        return gunzipSync(answer.bytes, { maxOutputLength: maxBytes })
      } catch (error) {
        if (error instanceof Problem && error.code === 'expired') expired.add(path)
        if (error instanceof Problem && (error.code === 'not_found' || error.extra['status'] === 410)) return undefined
        throw error
      }
    },
  }
}

/** Throws `not_found` where there is none: else it would look like a copy in which nothing is published yet. */
function openFolder(root: string): OpenSource {
  if (!existsSync(root)) throw new Problem('not_found', `there is no folder ${root}`)
  return {
    name: root,
    mayBeCached: false,
    async get(path) {
      try {
        return await readFile(join(root, path))
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
        throw error
      }
    },
    close() {},
  }
}
