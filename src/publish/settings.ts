import { z } from 'zod'
import { s3Settings } from '../objects/settings.ts'

/** Where the logs are written out as static files. Without `folder` and `s3` nowhere. */
export const publishSettings = z
  .strictObject({
    folder: z.string().min(1).optional(),
    s3: s3Settings
      .refine(({ object_lock }) => object_lock === undefined, {
        path: ['object_lock'],
        message: 'has no place here: the checkpoint is replaced; lock the archive instead',
      })
      .optional(),
    /** A reader is never further behind than this and its own cache. Each round in which a log grew is four writes and more. */
    every_ms: z.int().min(100).max(3_600_000).default(10_000),
  })
  .refine(({ folder, s3 }) => folder === undefined || s3 === undefined, {
    path: ['s3'],
    message: 'is given besides folder: choose one',
  })
export type PublishSettings = z.output<typeof publishSettings>
