import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from '../record/problem.ts'

/** The longest path of a Unix socket, without the closing zero: 107 bytes on Linux, 103 on macOS; the smaller one is taken. */
export const maxSocketPathBytes = 103

/**
 * Keeps a second starter out of a data folder. A listening socket, because it also works between containers that share a volume, where
 * process ids mean nothing: two servers on one folder both accepted connections there, which destroys the data. It dies with its
 * process, so nothing stale ever holds it. Not valid over NFS.
 * @returns how to give the folder back
 * @throws Problem in_use when somebody else has it, naming the process
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const directory = openSync(folder, 'r')
  const mine = `${process.pid} ${randomUUID()}`
  const path = socketPath(folder, directory, 'lock.sock')
  const fresh = socketPath(folder, directory, `lock.${process.pid}.sock`)
  try {
    await assertFree(folder, path)
    const server = await listen(fresh, mine)
    // Rename takes over a dead socket in one step. Two starters may do so at the same moment: the last one wins, and the other sees it.
    await rename(fresh, path)
    for (let looks = 0; looks < 2; looks++) {
      await sleep(20)
      const holder = await ask(path)
      if (holder !== mine) {
        server.close()
        throw inUse(folder, holder)
      }
    }
    return async () => {
      if ((await ask(path)) === mine) await rm(path, { force: true })
      await new Promise((resolve) => server.close(resolve))
      closeSync(directory)
    }
  } catch (error) {
    closeSync(directory)
    throw error
  }
}

async function assertFree(folder: string, path: string): Promise<void> {
  const holder = await ask(path)
  if (holder !== undefined) throw inUse(folder, holder)
}

function inUse(folder: string, holder: string | undefined): Problem {
  const pid = holder?.split(' ')[0]
  const who = pid === undefined || pid === '' ? 'another process, which does not answer' : `process ${pid}`
  return new Problem(
    'in_use',
    `The database in ${folder} is in use by ${who}. Stop that one first, or choose another data folder.`,
  )
}

/** A short name for the same place: Linux reaches the folder through our open descriptor, elsewhere the lock lies in the temporary folder. */
function socketPath(folder: string, directory: number, name: string): string {
  const path = join(folder, name)
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return path
  if (process.platform === 'linux') return `/proc/self/fd/${directory}/${name}`
  return join(tmpdir(), `proofline-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}-${name}`)
}

async function listen(path: string, answer: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(answer)
  })
  await rm(path, { force: true })
  server.listen(path)
  await once(server, 'listening')
  server.unref()
  return server
}

/** What the holder says; '' when it accepts but is silent (frozen); undefined when nobody listens. */
async function ask(path: string): Promise<string | undefined> {
  const socket = connect(path)
  socket.setEncoding('utf8').setTimeout(1_000, () => socket.destroy())
  try {
    await once(socket, 'connect')
    let answer = ''
    for await (const text of socket) answer += String(text)
    return answer
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE') return ''
    throw error
  } finally {
    socket.destroy()
  }
}
