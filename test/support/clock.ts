import type { Database } from '../../src/database/database.ts'
import type { Micros } from '../../src/record/record.ts'

/** The database clock as a value that a test sets: `clock_micros()` of this one database answers it, a microsecond later each time. */
export interface SettableClock {
  set(at: Micros | string): Promise<void>
}

export async function createSettableClock(owner: Database, at: Micros | string): Promise<SettableClock> {
  await owner.query({
    text: `create schema test_clock; create sequence test_clock.micros; grant usage on schema test_clock to public; grant usage, update on sequence test_clock.micros to public;
           create or replace function proofline.clock_micros() returns bigint language sql volatile as $$ select nextval('test_clock.micros') $$`,
  })
  const clock: SettableClock = {
    async set(to) {
      const micros = typeof to === 'number' ? to : Date.parse(to) * 1000
      await owner.query({ text: `select setval('test_clock.micros', $1::bigint)`, values: [micros] })
    },
  }
  await clock.set(at)
  return clock
}
