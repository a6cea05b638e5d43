import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { refuseChangeMd5 } from '../../src/ledger/write-once.ts'

it('the function that refuses is the one of the migration', () => {
  const sql = readFileSync(new URL('../../migrations/0001_ledger.sql', import.meta.url), 'utf8')
  const body = /create function refuse_change\(\)[^]*?as \$\$([^]*?)\$\$;/.exec(sql)?.[1] ?? ''
  expect(createHash('md5').update(body).digest('hex')).toBe(refuseChangeMd5)
})
