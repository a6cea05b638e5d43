import { parse } from 'yaml'
import { z } from 'zod'

/**
 * Settings as environment variables: `PROOFLINE_` and the path in capitals. What kind of value the text becomes is the schema's word, so
 * that a password of digits stays a text and an address list becomes a list.
 */

export interface Leaf {
  path: string[]
  schema: z.ZodType
}

/** What we use of zod's documented introspection. */
interface Definition {
  type: string
  innerType?: z.ZodType
  in?: z.ZodType
  element?: z.ZodType
  shape?: Record<string, z.ZodType>
  options?: z.ZodType[]
  discriminator?: string
  values?: unknown[]
}

const definitionOf = (schema: z.ZodType): Definition => (schema as { def: Definition }).def

/** Without defaults, optionals and transformations around it. */
function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, type, in: input } = definitionOf(schema)
  if (innerType !== undefined) return unwrap(innerType)
  return type === 'pipe' && input !== undefined ? unwrap(input) : schema
}

const nameOf = (path: readonly string[]): string => path.join('_').toUpperCase().replaceAll('-', '_')

/** Every setting below `schema` that is no object of settings itself, under its name: `DATABASE_URL` -> database.url. */
export function leavesOf(schema: z.ZodType, path: string[] = [], found = new Map<string, Leaf>()): Map<string, Leaf> {
  const inner = unwrap(schema)
  const { shape } = definitionOf(inner)
  if (shape === undefined) return found.set(nameOf(path), { path, schema: inner })
  for (const [key, value] of Object.entries(shape)) leavesOf(value, [...path, key], found)
  return found
}

/**
 * The settings of the members of a map such as `destinations`, whose settings depend on their `type`: of those in `members`, and of those
 * that `<prefix>_<NAME>_TYPE` in `env` adds (then the name is in small letters).
 */
export function leavesOfMembers(
  path: string,
  schema: z.ZodType,
  members: Readonly<Record<string, unknown>>,
  env: ReadonlyMap<string, string>,
): Map<string, Leaf> {
  const prefix = `${nameOf([path])}_`
  const names = new Map(Object.keys(members).map((name) => [nameOf([name]), name]))
  for (const key of env.keys()) {
    if (!key.startsWith(prefix) || !key.endsWith('_TYPE')) continue
    const name = key.slice(prefix.length, -'_TYPE'.length)
    if (name !== '' && !names.has(name)) names.set(name, name.toLowerCase())
  }
  const { options = [], discriminator = '' } = definitionOf(unwrap(schema))
  const found = new Map<string, Leaf>()
  for (const [short, name] of names) {
    const member = members[name]
    const written = typeof member === 'object' && member !== null ? Object.entries(member) : []
    const type = env.get(`${prefix}${short}_TYPE`) ?? written.find(([key]) => key === discriminator)?.[1]
    const option = options.find((one) => {
      const kind = definitionOf(one).shape?.[discriminator]
      return kind !== undefined && definitionOf(kind).values?.includes(type)
    })
    if (option !== undefined) leavesOf(option, [path, name], found)
  }
  return found
}

/** Text as the schema wants it; text that cannot be that is left for the schema to refuse by name. */
export function toSetting(text: string, schema: z.ZodType): unknown {
  const { type, element } = definitionOf(unwrap(schema))
  switch (type) {
    case 'number':
      return /^-?\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'array':
      if (element === undefined || text.trimStart().startsWith('[')) return toYaml(text)
      return text.split(',').map((item) => toSetting(item.trim(), element))
    case 'record':
    case 'union':
      return toYaml(text)
    default:
      return text
  }
}

function toYaml(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return text
  }
}

/** Puts `value` at `path`, copying what is above it. */
export function assign(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length === 0) {
    values[key] = value
    return
  }
  const below = values[key]
  const copy: Record<string, unknown> = typeof below === 'object' && below !== null ? { ...below } : {}
  assign(copy, rest, value)
  values[key] = copy
}
