import { defineConfig } from 'vitest/config'

/** Contract suites against other people's servers; conformance.ts starts those and says by TEST_ variables where they are. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/conformance/**/*.conformance.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})
