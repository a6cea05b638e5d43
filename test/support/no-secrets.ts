import { afterAll, expect } from 'vitest'
import { takeLeaks } from './secrets.ts'
import { livesEnded } from './service.ts'

// For every file of tests, behind its own afterAll: no secret was said by what it started, asked or stored.
afterAll(async () => {
  await livesEnded()
  expect(takeLeaks(), 'secrets that were told').toEqual([])
})
