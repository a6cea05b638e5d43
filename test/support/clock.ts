import type { Database } from '../../src/database/database.ts'
import type { Micros } from '../../src/record/record.ts'

/** The database clock of this one database runs behind by whole days, with its months' partitions. */
export async function createClockBehind(owner: Database, days: number): Promise<{ set(days: number): Promise<void> }> {
  await owner.query({
    text: `create schema test_clock; create table test_clock.behind as select ${days}::bigint as days;
           grant usage on schema test_clock to public; grant select on test_clock.behind to public;
           create or replace function proofline.clock_micros() returns bigint language sql volatile as
             $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint - days * 86400000000 from test_clock.behind $$`,
  })
  await owner.query({ text: `select proofline.ensure_partitions(current_date - ${days}, 2)` })
  return {
    async set(to) {
      await owner.query({ text: 'update test_clock.behind set days = $1', values: [to] })
    },
  }
}

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
