import type { Database } from '../../src/database/database.ts'
import type { Micros } from '../../src/record/record.ts'

/** The database clock as a test sets it: `clock_micros()` of this one database. */
export interface SettableClock {
  set(at: Micros | string): Promise<void>
}

/** Of a database whose clock can be set: it, or that which it was cloned from, went through `createSettableClock`. */
export const settableClock = (owner: Database): SettableClock => ({
  async set(to) {
    const micros = typeof to === 'number' ? to : Date.parse(to) * 1000
    await owner.query({ text: 'select test_clock.set_micros($1)', values: [micros] })
  },
})

/**
 * From where it was set it goes on with real time, as that of the appender does: one that stands still is two seconds behind an appender on a
 * machine with much else to do, which is a step. `still` is for tests of a few milliseconds around a midnight: a microsecond later each time.
 */
export async function createSettableClock(
  owner: Database,
  at: Micros | string,
  { still = false } = {},
): Promise<SettableClock> {
  const real = '(extract(epoch from clock_timestamp()) * 1000000)::bigint'
  const begin = still ? '' : ` - ${real}`
  const answer = still ? `nextval('test_clock.micros')` : `(select last_value from test_clock.micros) + ${real}`
  await owner.query({
    text: `create schema test_clock; create sequence test_clock.micros minvalue -9000000000000000;
           grant usage on schema test_clock to public; grant usage, select, update on sequence test_clock.micros to public;
           create or replace function proofline.clock_micros() returns bigint language sql volatile as $$ select ${answer} $$;
           create function test_clock.set_micros(wanted bigint) returns void language sql volatile as $$ select setval('test_clock.micros', wanted${begin}) $$`,
  })
  const clock = settableClock(owner)
  await clock.set(at)
  return clock
}
