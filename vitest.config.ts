import { defineConfig } from 'vitest/config'
import { compileCache } from './test/support/compile-cache.ts'

// For every process that a test starts, and that runs a file of tests: most of what a short one does is to compile.
Object.assign(process.env, compileCache)

const database = '**/*.db.test.ts'
const stories = '**/*.story.test.ts'
/** What is waited for comes at once, or late on a machine that has much else to do. */
const poll = { timeout: 15_000 }
const elsewhere = ['**/node_modules/**', 'test/programs/**', 'test/fixtures/**']

/**
 * pure: no process, no database. database: PostgreSQL, a database per file cloned from a migrated template, fsync off.
 * One after the other. Three workers of these two on two cores: a quarter of the time a file waits for its database, a disk or a process.
 * stories: whole processes over the embedded server with fsync on.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'pure',
          sequence: { groupOrder: 0 },
          include: ['test/**/*.test.ts'],
          exclude: [...elsewhere, database, stories],
          setupFiles: ['test/support/no-secrets.ts'],
          expect: { poll },
          pool: 'threads',
          maxWorkers: 2,
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'database',
          sequence: { groupOrder: 1 },
          include: [`test/${database}`],
          exclude: elsewhere,
          pool: 'forks',
          maxWorkers: 3,
          globalSetup: ['test/support/setup.ts'],
          setupFiles: ['test/support/no-secrets.ts'],
          expect: { poll },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'stories',
          sequence: { groupOrder: 2 },
          include: [`test/${stories}`],
          exclude: elsewhere,
          pool: 'forks',
          maxWorkers: 3,
          globalSetup: ['test/support/setup.ts'],
          setupFiles: ['test/support/no-secrets.ts'],
          expect: { poll },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
