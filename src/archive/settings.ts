import { z } from 'zod'

/** How closed days get into the archive, and how long records stay where. */

export const archiveSettings = z.strictObject({
  every_ms: z
    .int()
    .min(100)
    .max(86_400_000)
    .default(600_000)
    .describe('how often is looked whether a day has closed, a month may leave the database, or a day expired'),
  closes_after_ms: z
    .int()
    .min(60_000)
    .max(86_400_000)
    .default(900_000)
    .describe('so long after its midnight a day takes no record any more'),
  overdue_ms: z
    .int()
    .min(60_000)
    .default(36 * 3_600_000)
    .describe('a day that is not in the archive so long after it ended is an alert'),
})
export type ArchiveSettings = z.output<typeof archiveSettings>

const months = z.int().min(12).max(1_200)

export const retentionSettings = z
  .strictObject({
    online: months.default(15).describe('months in the database; then a month moves to the archive'),
    kept: z
      .union([months, z.literal('forever')], { error: 'takes months, 12 or more, or forever' })
      .default(36)
      .describe('months in all; may be raised, never lowered'),
    detach: z.boolean().default(true).describe('move months to the archive'),
    expire: z.boolean().default(false).describe('delete from the archive what is older than `kept`'),
  })
  .refine(({ online, kept }) => kept === 'forever' || kept >= online, {
    path: ['kept'],
    message: 'is less than online',
  })
export type RetentionSettings = z.output<typeof retentionSettings>
