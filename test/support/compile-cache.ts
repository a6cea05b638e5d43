import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * For the environment of our own program as a child: node keeps there what it made of the TypeScript. Starting a command takes a third of
 * the time, and the tests start thousands.
 */
export const compileCache = { NODE_COMPILE_CACHE: join(tmpdir(), `proofline-compile-cache-${process.getuid?.() ?? 0}`) }
