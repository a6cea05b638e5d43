import { chmod, unlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import type { Signer } from './signer.ts'
import { assertSocketPath } from './socket-path.ts'
import { createLineSplitter, printLine, questionSchema } from './wire.ts'
import type { Question } from './wire.ts'

/** A signer behind a Unix socket that only its owner, or its group too, may open: several nodes share it, and it outlives each of them. */
export interface SignerServer {
  /** Resolves when the signal aborted and the last connection is gone; the socket file is gone too. */
  readonly closed: Promise<void>
}

/**
 * Listens when this resolves. A socket file that a killed signer left is replaced; one that somebody answers on is an error. Throws for
 * a path longer than an address holds. On abort connections are cut: what was asked and not answered is safe to ask again.
 */
export async function serveSigner(
  signer: Signer,
  socketPath: string,
  signal: AbortSignal,
  mode: 0o600 | 0o660 = 0o600,
): Promise<SignerServer> {
  assertSocketPath(socketPath)
  const guard = await signer.guardId()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    answerOn(socket, signer, guard)
  })
  await removeStale(socketPath)
  signal.throwIfAborted()
  await listen(server, socketPath, mode)
  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  const stop = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  return { closed }
}

function answerOn(socket: Socket, signer: Signer, guard: string): void {
  const send = (answer: Record<string, unknown>): void => {
    if (socket.writable) socket.write(printLine({ ...answer, guard }))
  }
  const onLine = (line: string): void => {
    const parsed = questionSchema.safeParse(parseJson(line))
    if (!parsed.success) {
      socket.destroy() // no client of ours says that; without an id it cannot be answered
      return
    }
    const { id } = parsed.data
    answerTo(signer, parsed.data).then(
      (answer) => send({ id, answer }),
      (error: unknown) => send({ id, error: error instanceof Error ? error.message : String(error) }),
    )
  }
  socket.setEncoding('utf8')
  const split = createLineSplitter(onLine, () => socket.destroy())
  socket.on('data', (chunk) => split(String(chunk)))
}

async function answerTo(signer: Signer, question: Question): Promise<unknown> {
  switch (question.call) {
    case 'sign':
      return signer.sign(question.ledger, question)
    case 'last':
      return signer.last(question.ledger)
    case 'vkey':
      return signer.vkey(question.ledger)
    case 'guardId':
      return signer.guardId()
    case 'adopt':
      return signer.adopt(question.ledger, question.note, question.proof)
    case 'signStatement':
      return signer.signStatement(question.payloadType, question.payload)
    case 'statementVkey':
      return signer.statementVkey()
    case 'keys':
      return signer.keys(question.of)
    case 'rotate':
      return signer.rotate(question.of, { ...question, vkey: question.vkey ?? undefined })
    case 'retire':
      return signer.retire(question.of, { ...question, until: question.until ?? undefined })
  }
}

/** The lock of the guard keeps two signers of one guard apart; this only tells a dead socket from a living one. */
async function removeStale(path: string): Promise<void> {
  const state = await new Promise<'living' | 'dead' | 'absent'>((resolve, reject) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve('living')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve('absent')
      else if (error.code === 'ECONNREFUSED') resolve('dead')
      else reject(error)
    })
  })
  if (state === 'living') throw new Error(`another process listens on ${path}`)
  if (state === 'dead') await unlink(path)
}

async function listen(server: Server, path: string, mode: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The socket file is made within the call, with the mask of the process: narrowed for that long, so it is never open to others.
    // Worker threads may not set the mask; there the chmod below has to do.
    const mask = isMainThread ? process.umask(0o777 & ~mode) : undefined
    try {
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      if (mask !== undefined) process.umask(mask)
    }
  })
  await chmod(path, mode)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
