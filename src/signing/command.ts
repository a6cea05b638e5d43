import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { decodeBase64 } from '../log/base64.ts'
import type { ExternalSign } from './keys.ts'

/**
 * Signs by a program that asks a KMS, an HSM or an agent: it gets the message on standard input and the verifier key of the wanted key as its
 * last argument, and prints the signature in base64. It is not believed: whoever calls this verifies what came back. Nothing is asked again
 * here; a signature that did not come about is asked for again by the publisher.
 */
export interface CommandSettings {
  /** Program and arguments; no shell. */
  command: readonly string[]
  timeoutMs: number
}

/** A signature is 88 characters. */
const maxOutput = 1_024
const maxErrors = 1_000

export function createCommandSigner({ command, timeoutMs }: CommandSettings): ExternalSign {
  const [program = '', ...args] = command
  return async (vkey, message) => {
    const { out, errors, ended } = await run(spawnIt(program, [...args, vkey]), message, timeoutMs)
    const failed = (what: string): Error => new Error(`${program} ${what}${errors === '' ? '' : `: ${errors}`}`)
    if (ended !== 0) throw failed(typeof ended === 'number' ? `exited with ${ended}` : ended)
    const signature = decodeBase64(out.replace(/\r?\n$/, ''))
    if (signature?.length !== 64) throw failed('printed no Ed25519 signature in base64')
    return signature
  }
}

/** In a process group of its own, so that what it started ends with it. */
const spawnIt = (program: string, args: string[]): ChildProcess =>
  spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })

interface Ended {
  out: string
  errors: string
  /** Exit code, or why there is none. */
  ended: number | string
}

function run(child: ChildProcess, message: Uint8Array, timeoutMs: number): Promise<Ended> {
  return new Promise((resolve) => {
    let [out, errors] = ['', '']
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // it ended by itself in this moment
      }
    }
    const end = (ended: number | string): void => {
      clearTimeout(timer)
      kill() // also what it left behind
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
      resolve({ out, errors: errors.trim().replace(/\s+/g, ' '), ended })
    }
    const timer = setTimeout(() => end(`did not answer within ${timeoutMs} ms`), timeoutMs)
    child.stdout?.setEncoding('latin1').on('data', (chunk: string) => {
      out += chunk
      if (out.length > maxOutput) end('printed more than a signature')
    })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(0, maxErrors)))
    child.stdin?.on('error', () => {}) // it need not read all of it; what it prints counts
    child.on('error', (error) => end(`cannot be run: ${error.message}`))
    child.on('close', (code, signal) => end(code ?? `was ended by ${signal ?? 'nobody'}`))
    child.stdin?.end(message)
  })
}
