import { defineConfig } from 'vitest/config'

const database = '**/*.db.test.ts'
const stories = '**/*.story.test.ts'
const elsewhere = ['**/node_modules/**', 'test/programs/**', 'test/fixtures/**']

/**
 * pure: no process, no database. database: PostgreSQL, a database per file cloned from a migrated template, fsync off.
 * stories: whole processes over the embedded server with fsync on, two files at a time at most.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'pure',
          include: ['test/**/*.test.ts'],
          exclude: [...elsewhere, database, stories],
          pool: 'threads',
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'database',
          include: [`test/${database}`],
          exclude: elsewhere,
          pool: 'forks',
          globalSetup: ['test/support/setup.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'stories',
          include: [`test/${stories}`],
          exclude: elsewhere,
          pool: 'forks',
          maxWorkers: 2,
          globalSetup: ['test/support/setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
