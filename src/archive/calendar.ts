import type { Micros } from '../record/record.ts'

/** Days and months of UTC, by the calendar: there are no others in here, so daylight saving and local zones never enter. */

/** `2028-02-29` */
export type Day = string

export const dayMicros = 86_400_000_000

export function dayOf(at: Micros): Day {
  return new Date(Math.floor(at / 1000)).toISOString().slice(0, 10)
}

/** Throws for a day that does not exist. */
export function startOf(day: Day): Micros {
  const ms = Date.parse(`${day}T00:00:00Z`)
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || !Number.isFinite(ms) || new Date(ms).toISOString().slice(0, 10) !== day)
    throw new RangeError(`${day} is no day`)
  return ms * 1000
}

/** A UTC day is always 24 hours: leap seconds have no place of their own in POSIX time. */
export function nextDay(day: Day): Day {
  return dayOf(startOf(day) + dayMicros)
}

export function previousDay(day: Day): Day {
  return dayOf(startOf(day) - dayMicros)
}

/** First day of the month of `day`. */
export function monthOfDay(day: Day): Day {
  return `${day.slice(0, 7)}-01`
}

/** `months` after the first day of a month. */
export function addMonths(month: Day, months: number): Day {
  const at = new Date(startOf(month) / 1000)
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1)).toISOString().slice(0, 10)
}

/** The same day `months` later; the last of the month where there is no such day: 29 February 2028 and 12 months give 28 February 2029. */
export function sameDayLater(day: Day, months: number): Day {
  const month = addMonths(monthOfDay(day), months)
  const last = previousDay(addMonths(month, 1))
  const wanted = `${month.slice(0, 8)}${day.slice(8)}`
  return wanted < last ? wanted : last
}
