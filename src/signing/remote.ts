import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { z } from 'zod'
import { maxStatementBytes } from '../log/statement.ts'
import { Problem } from '../record/problem.ts'
import type { Signer } from './signer.ts'
import { assertSocketPath } from './socket-path.ts'
import {
  adoptAnswerSchema,
  answerSchema,
  createLineSplitter,
  keysAnswerSchema,
  lastAnswerSchema,
  printLine,
  rotationAnswerSchema,
  signAnswerSchema,
  textAnswerSchema,
} from './wire.ts'
import type { Call } from './wire.ts'

export interface RemoteSigner extends Signer {
  close(): void
}

interface Waiting {
  resolve: (answer: unknown) => void
  reject: (error: Error) => void
}

interface Connection {
  ask(call: Call): Promise<unknown>
  close(): void
}

/**
 * The signer behind a socket. Connects at the first call and again at the call after a connection was lost; a call that is cut off
 * rejects with Problem `unavailable` and is not repeated here. The guard that answers first is the only one that is listened to: a
 * signer restarted with another guard gives Problem `signer_not_current`.
 */
export function connectSigner(socketPath: string, { timeoutMs = 10_000 } = {}): RemoteSigner {
  assertSocketPath(socketPath)
  let connection: Connection | undefined
  let guard: string | undefined

  const accept = (found: string): void => {
    guard ??= found
    if (found !== guard)
      throw new Problem('signer_not_current', `the signer at ${socketPath} has guard ${found}, not ${guard}`)
  }
  const ask = async <T>(call: Call, schema: z.ZodType<T>): Promise<T> => {
    connection ??= openConnection(socketPath, timeoutMs, accept, () => (connection = undefined))
    const parsed = schema.safeParse(await connection.ask(call))
    if (!parsed.success)
      throw new Problem('unavailable', `the signer at ${socketPath} does not speak as expected`, {
        cause: parsed.error,
      })
    return parsed.data
  }

  return {
    async sign(ledger, { size, root, proof }) {
      const answer = await ask(
        { call: 'sign', ledger, size, root, proof: { from: proof.from, hashes: [...proof.hashes] } },
        signAnswerSchema,
      )
      return answer.kind === 'refused' ? { ...answer, last: answer.last ?? undefined } : answer
    },
    last: async (ledger) => (await ask({ call: 'last', ledger }, lastAnswerSchema)) ?? undefined,
    vkey: (ledger) => ask({ call: 'vkey', ledger }, textAnswerSchema),
    guardId: () => ask({ call: 'guardId' }, textAnswerSchema),
    adopt: (ledger, note, { from, hashes }) =>
      ask({ call: 'adopt', ledger, note, proof: { from, hashes: [...hashes] } }, adoptAnswerSchema),
    async signStatement(payloadType, payload) {
      // Else the line would be cut off there, and the caller told to come again.
      if (payload.length > maxStatementBytes) throw new RangeError(`a statement of ${payload.length} bytes`)
      return ask({ call: 'signStatement', payloadType, payload }, textAnswerSchema)
    },
    statementVkey: () => ask({ call: 'statementVkey' }, textAnswerSchema),
    keys: (of) => ask({ call: 'keys', of }, keysAnswerSchema),
    rotate: (of, { replaces, atOnce, vkey, at }) =>
      ask({ call: 'rotate', of, replaces, atOnce, vkey, at }, rotationAnswerSchema),
    retire: (of, { vkey, until, at }) => ask({ call: 'retire', of, vkey, until, at }, rotationAnswerSchema),
    close() {
      connection?.close()
    },
  }
}

function openConnection(
  path: string,
  timeoutMs: number,
  accept: (guard: string) => void,
  onLost: () => void,
): Connection {
  const waiting = new Map<number, Waiting>()
  const socket: Socket = connect(path)
  let nextId = 0
  let reason: Error | undefined
  let isLost = false

  const lose = (why: string): void => {
    if (isLost) return // the socket's own close comes late, when the next connection may be open already
    isLost = true
    socket.destroy()
    onLost()
    for (const { reject } of waiting.values())
      reject(new Problem('unavailable', `the signer at ${path} ${why}`, { cause: reason }))
    waiting.clear()
  }
  const onLine = (line: string): void => {
    const parsed = answerSchema.safeParse(parseJson(line))
    const call = parsed.success ? waiting.get(parsed.data.id) : undefined
    if (!parsed.success || call === undefined) {
      lose('does not speak as expected')
      return
    }
    waiting.delete(parsed.data.id)
    try {
      accept(parsed.data.guard)
      if ('error' in parsed.data) call.reject(new Error(`the signer failed: ${parsed.data.error}`))
      else call.resolve(parsed.data.answer)
    } catch (error) {
      call.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }
  socket.setEncoding('utf8')
  const split = createLineSplitter(onLine, () => lose('sent too long a line'))
  socket.on('data', (chunk) => split(String(chunk)))
  socket.on('error', (error) => (reason = error))
  socket.on('close', () =>
    lose(reason === undefined ? 'closed the connection' : `cannot be reached: ${reason.message}`),
  )

  return {
    ask(call) {
      const id = nextId++
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => lose(`did not answer within ${timeoutMs} ms`), timeoutMs)
        const settle = (done: () => void): void => {
          clearTimeout(timer)
          done()
        }
        waiting.set(id, {
          resolve: (answer) => settle(() => resolve(answer)),
          reject: (error) => settle(() => reject(error)),
        })
        socket.write(printLine({ id, ...call }))
      })
    },
    close: () => lose('was left'),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
