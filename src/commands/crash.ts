import { writeSync } from 'node:fs'
import { hideCredentials } from '../record/hide-credentials.ts'
import { explain } from './terminal.ts'

/**
 * What nobody caught ends the process with status 1, as it would anyhow. Node would print the error with all that hangs on it, a connection
 * with its settings for one, and a diagnostic report with the environment: here are its messages and stacks, and the report has no environment.
 */
export function tellCrashes(): void {
  process.report.excludeEnv = true
  process.on('uncaughtException', (error: unknown, origin) => {
    // At once: nothing else is written any more, and a pipe may be slow.
    writeSync(2, `proofline: ${origin}: ${hideCredentials(explain(error))}\n`)
    process.exit(1)
  })
}
