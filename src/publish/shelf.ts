import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'

/**
 * Where a log stands as static files for readers and CDNs: a folder or a bucket. Every file but a log's `checkpoint` is written once and
 * never again. Whole bytes or none are ever visible under a path.
 */
export interface Shelf {
  /** For people: where it is. */
  readonly name: string
  /** Undefined when there is nothing under that path. */
  get(path: string): Promise<Uint8Array | undefined>
  /** Durable after `settle`. Throws Problem `integrity` when other bytes stand there; those stay. The same ones again are fine. */
  putOnce(path: string, bytes: Uint8Array): Promise<void>
  /** Resolves when everything that was put is durable. */
  settle(): Promise<void>
  /** The one mutable file of a log; durable when it resolves. Throws Problem `in_use` when what stands there is no longer `before`. */
  replace(path: string, bytes: Uint8Array, before: Uint8Array | undefined): Promise<void>
  /** Removes the partial tiles beside the full one at `path`. What cannot be removed stays, and harms nobody. */
  dropPartials(path: string): Promise<void>
  /** Alone with this log until released, as far as the storage can tell; throws Problem `in_use`. */
  claim(ledger: LedgerName): Promise<{ release(): void }>
  close(): Promise<void>
}

export function assertSame(name: string, path: string, found: Uint8Array, wanted: Uint8Array): void {
  if (equalBytes(found, wanted)) return
  let at = 0
  while (at < found.length && at < wanted.length && found[at] === wanted[at]) at++
  throw new Problem(
    'integrity',
    `${name}: ${path} holds other bytes than the log: ${found.length} instead of ${wanted.length}, the first other one at ${at}; it is left as it is`,
  )
}

export function assertStill(
  name: string,
  path: string,
  found: Uint8Array | undefined,
  before: Uint8Array | undefined,
): void {
  if (found === undefined ? before === undefined : before !== undefined && equalBytes(found, before)) return
  throw new Problem('in_use', `${name}: ${path} was changed by another process meanwhile`)
}

const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
