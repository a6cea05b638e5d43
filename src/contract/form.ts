import { z } from 'zod'
import { identityMethods, weaknessCodes } from '../record/identity.ts'
import { testTypes } from '../record/record.ts'
import { compileGlob, expandedLength, maxExpandedTogether } from './glob.ts'

/** The form of `proofline.contract.yaml`, strict: what is unknown is refused, since a mistyped key would silently promise nothing. */

const controls = /[\p{Cc}\u2028\u2029]/u
const name = z
  .string()
  .min(1)
  .max(120)
  .refine((value) => value.isWellFormed() && !controls.test(value), 'no control characters')
const sentence = name.max(400)

const glob = z.string().superRefine((pattern, context) => {
  try {
    compileGlob(pattern)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
  }
})

const isShort = (patterns: readonly string[]): boolean => expandedLength(patterns) <= maxExpandedTogether
const tooLong = `these globs have more than ${maxExpandedTogether} characters together, with their braces written out`

/** One or several, kept as several. */
const oneOrMore = <T extends z.ZodType>(shape: T, what: string) =>
  z.union([shape.transform((one) => [one]), z.array(shape).min(1).max(32)], { error: what })

const durationPattern = /^([1-9]\d{0,4})(m|h|d)$/
const duration = z.string().regex(durationPattern, 'a time such as 90m, 36h or 7d')
const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `36h`; the form was checked. */
export function durationMs(text: string): number {
  const [, count = '', unit = ''] = durationPattern.exec(text) ?? []
  if (unit !== 'm' && unit !== 'h' && unit !== 'd') throw new Error(`not a time: ${text}`)
  return Number(count) * unitMs[unit]
}

const percent = z.number().min(0).max(100)
const limits = z.strictObject({ lines: percent.optional(), changed_lines: percent.optional() })

/** `nyc`, or `nyc@17.1`, which takes every 17.1.x. */
const tool = name.transform((text) => {
  const at = text.lastIndexOf('@')
  return at > 0 ? { name: text.slice(0, at), version: text.slice(at + 1) } : { name: text }
})

/** Whose word is taken: by which methods it must be verified, and what must not be weak about that. */
const identity = z
  .strictObject({
    methods: z.array(z.enum(identityMethods)).min(1).optional(),
    refuse: z.array(z.enum(weaknessCodes)).min(1).optional(),
  })
  .refine(({ methods, refuse }) => methods !== undefined || refuse !== undefined, 'methods or refuse is needed')

const suite = z.strictObject({
  name,
  test_type: z.enum(testTypes),
  stage: oneOrMore(name, 'a stage, or a list of stages').optional(),
  tool: oneOrMore(tool, 'a tool such as nyc or nyc@17.1, or a list of them').optional(),
  definition: oneOrMore(name, 'a definition such as lcov.da@1, or a list of them').optional(),
  configuration: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'the configuration digest of a seal: 64 lower-case hex digits')
    .optional(),
  cadence: z.union([z.literal('commit'), duration], { error: '"commit", or a time such as 24h or 7d' }).optional(),
  owner: name.optional(),
  required: z.boolean().default(true),
  thresholds: limits.optional(),
  identity: identity.optional(),
})

export const contractForm = z.strictObject({
  version: z.literal(1, { error: 'the version of this form: 1' }),
  repository: name.optional(),
  inherit: z.boolean().default(true),
  mode: z.enum(['observe', 'enforce']).optional(),
  refs: z.array(glob).min(1).max(32).refine(isShort, tooLong).optional(),
  production: z
    .strictObject({
      include: z.array(glob).min(1).max(100),
      exclude: z
        .array(z.strictObject({ glob, reason: sentence }))
        .max(100)
        .default([]),
    })
    .refine(({ include, exclude }) => isShort([...include, ...exclude.map((one) => one.glob)]), tooLong)
    .optional(),
  suites: z.array(suite).min(1).max(200).optional(),
  thresholds: z.strictObject({ unit: limits.optional(), integration: limits.optional() }).optional(),
  configuration: suite.shape.configuration,
  late: duration.optional(),
  identity: identity.optional(),
})

export type Contract = z.output<typeof contractForm>
export type Suite = z.output<typeof suite>
export type Limits = z.output<typeof limits>
