import { readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, posix, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

/** The rooms and what each may import beside itself; the table of ROOMS.md. Files that lie in src itself are rooms of one file. */
const server = [
  'telemetry',
  'objects',
  'signing',
  'ledger',
  'access',
  'admission',
  'delivery',
  'vouching',
  'history',
  'archive',
  'publish',
  'recover',
  'answers',
  'decisions',
  'evidence',
  'watch',
]
const pure = ['record', 'formats', 'log', 'verify', 'contract', 'api']
const table: Readonly<Record<string, readonly string[]>> = {
  record: [],
  // What has the form of a credential is in no line.
  telemetry: ['record/hide-credentials'],
  network: [],
  log: ['record'],
  formats: ['record'],
  contract: ['record'],
  api: ['record'],
  verify: ['record', 'log'],
  objects: ['record', 'network'],
  database: ['record', 'telemetry'],
  signing: ['record', 'log'],
  ledger: ['record', 'log', 'verify', 'telemetry', 'database', 'objects', 'signing'],
  // A run statement is signed in the manner of everything that is signed and no checkpoint. A secret of a setting prints as no other does.
  access: ['record', 'log', 'telemetry', 'database', 'delivery/secret'],
  admission: [
    'record',
    'log',
    'telemetry',
    'formats',
    'contract',
    'api',
    'database/database',
    'objects',
    'ledger',
    'access',
  ],
  delivery: ['record', 'telemetry', 'network', 'database', 'ledger'],
  // What asks others leaves by the door that deliveries leave by: addresses, certificates, deadlines, no redirect.
  vouching: ['record', 'log', 'verify', 'telemetry', 'database', 'ledger', 'delivery/outgoing', 'delivery/wire', 'delivery/duration'], // oxfmt-ignore
  history: ['record', 'telemetry', 'contract', 'database', 'ledger'],
  archive: ['record', 'log', 'verify', 'telemetry', 'database', 'objects', 'signing', 'ledger'],
  // The tree whose tiles it writes out is the ledger's; it takes the folder's lock of signing and the S3 client of objects.
  publish: ['record', 'log', 'verify', 'objects', 'signing', 'ledger'],
  // What goes back into the ledger goes under the keys that admission and watch had given it.
  recover: [
    'record',
    'log',
    'verify',
    'api',
    'database',
    'objects',
    'signing',
    'ledger',
    'admission',
    'archive',
    'delivery',
    'watch',
  ],
  answers: ['record', 'log', 'telemetry', 'contract', 'database', 'signing', 'ledger', 'delivery', 'history'],
  // A gate decides by the report, so what records decisions sees what answers questions and what records runs; issued reports are statements.
  decisions: ['record', 'log', 'contract', 'database/database', 'ledger', 'access', 'admission', 'history', 'answers'],
  // What a pack derives from records is derived by the same code that checks it.
  evidence: ['record', 'log', 'verify', 'objects', 'signing', 'ledger', 'answers'],
  // Uses wait in a folder that one process has.
  watch: [
    'record',
    'telemetry',
    'database',
    'signing/folder-lock',
    'ledger',
    'delivery',
    'history',
    'archive',
    'answers',
  ],
  http: [
    'record',
    'log',
    'verify',
    'contract',
    'api',
    'database/worker',
    'database/database',
    'database/failure',
    ...server,
  ],
  producer: ['record', 'network', 'formats', 'contract', 'api'],
  web: ['record', 'log', 'verify', 'api'],
  // Builds and starts everything: sees all, and is seen by the commands that start it only.
  service: [],
}

const spine = [...Object.keys(table).filter((room) => !['producer', 'web', 'service'].includes(room)), 'config']
/** Commands that look into the database or start the service or a witness; every other one is a client. */
const serverCommands = [
  'commands/serve',
  'commands/sessions',
  'commands/signer',
  'commands/tokens',
  'commands/adopt',
  'commands/local-command',
  'commands/maintain',
  'commands/producers',
  'commands/verify',
  'commands/witness',
  'commands/recover',
]
const clientRooms = ['commands', 'producer', 'record', 'log', 'verify', 'contract', 'api']

interface Import {
  from: string
  /** A path below src without .ts, or the name of a package. */
  to: string
  typeOnly: boolean
}

const src = join(import.meta.dirname, '../src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map((path) => relative(src, join(src, path)).replaceAll('\\', '/'))
  .filter((path) => /\.tsx?$/.test(path))
  .toSorted()
const textOf = (file: string): string => readFileSync(join(src, file), 'utf8')
const nameOf = (file: string): string => file.replace(/\.tsx?$/, '')
const roomOf = (name: string): string => name.split('/')[0] ?? ''

/** Static imports, re-exports, `import()` and worker files (`new URL('./x.ts', import.meta.url)`). */
function importsOf(file: string): Import[] {
  const text = textOf(file)
  const found: Import[] = []
  const add = (specifier: string, typeOnly: boolean): void => {
    const to = specifier.startsWith('.') ? nameOf(posix.join(dirname(file), specifier)) : specifier
    found.push({ from: nameOf(file), to, typeOnly })
  }
  for (const [, type, specifier = ''] of text.matchAll(
    /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm,
  ))
    add(specifier, type !== undefined)
  for (const [, specifier = ''] of text.matchAll(/\bimport\('([^']+)'\)/g)) add(specifier, false)
  for (const [, specifier = ''] of text.matchAll(/new URL\('(\.[^']+\.ts)', import\.meta\.url\)/g))
    add(specifier, false)
  return found
}

const imports = files.flatMap(importsOf)
const isOurs = ({ to }: Import): boolean => files.some((file) => nameOf(file) === to)

function mayImport({ from, to }: Import): boolean {
  const [room, target] = [roomOf(from), roomOf(to)]
  if (room === target) return true
  if (room === 'cli') return target === 'commands'
  if (room === 'commands')
    return (
      clientRooms.includes(target) || (serverCommands.includes(from) && (rootFiles.includes(target) || target in table))
    )
  if (rootFiles.includes(room) || room === 'service') return spine.includes(target) || rootFiles.includes(target)
  const allowed = table[room] ?? []
  return allowed.includes(target) || allowed.includes(to)
}

/** config.ts and what it was cut into. */
const rootFiles = files.map(nameOf).filter((name) => !name.includes('/') && name !== 'cli')

const say = ({ from, to }: Import): string => `${from} imports ${to}`

describe('src', () => {
  it('has only the rooms of the table', () => {
    const rooms = new Set(files.filter((file) => file.includes('/')).map(roomOf))
    expect([...rooms].filter((room) => table[room] === undefined && room !== 'commands')).toEqual([])
  })

  it('is read by this test', () => {
    expect(
      imports.filter((one) => !isOurs(one) && one.to.includes('/') && one.from.startsWith(roomOf(one.to))).map(say),
    ).toEqual([])
    expect(imports).toContainEqual({ from: 'database/worker', to: 'database/database', typeOnly: true })
    expect(imports.length).toBeGreaterThan(files.length)
  })

  it('imports downwards only', () => {
    expect(imports.filter((one) => isOurs(one) && !mayImport(one)).map(say)).toEqual([])
  })

  it('has no cycle of imports', () => {
    const next = new Map(
      files.map((file) => [
        nameOf(file),
        importsOf(file)
          .filter((one) => !one.typeOnly && isOurs(one))
          .map(({ to }) => to),
      ]),
    )
    const cycles: string[] = []
    const done = new Set<string>()
    const walk = (name: string, path: string[]): void => {
      if (path.includes(name)) cycles.push([...path.slice(path.indexOf(name)), name].join(' -> '))
      else if (!done.has(name)) for (const to of next.get(name) ?? []) walk(to, [...path, name])
      done.add(name)
    }
    for (const name of next.keys()) walk(name, [])
    expect(cycles).toEqual([])
  })

  /** What is loaded with a file of `src/`, itself included. */
  function loadedWith(name: string, loaded = new Set<string>()): Set<string> {
    if (loaded.has(name)) return loaded
    loaded.add(name)
    for (const one of imports) if (one.from === name && !one.typeOnly && isOurs(one)) loadedWith(one.to, loaded)
    return loaded
  }

  it('loads neither the database nor the service for `proofline signer`, which runs as a user of its own', () => {
    const loaded = loadedWith('commands/signer')
    expect(loaded).toContain('signing/guard')
    expect([...loaded].filter((name) => /^(database|ledger|http|service)\//.test(name) && !['http/settings', 'http/address', 'service/signer'].includes(name))).toEqual([]) // oxfmt-ignore
  })

  it('starts `proofline serve` anew before the service is loaded, which would be loaded twice', () => {
    expect(textOf('cli.ts')).toMatch(/keepMemorySteady\(\)\s*return \(await import\('\.\/commands\/serve\.ts'\)\)/)
    const loaded = [...loadedWith('commands/steady-memory')].map(roomOf)
    expect(loaded.filter((room) => !['commands', 'producer', 'record'].includes(room))).toEqual([])
    expect(loadedWith('commands/serve')).not.toContain('commands/steady-memory')
  })

  it('imports pg in database/ only, and no package that package.json does not name', () => {
    const wrong = imports.filter(({ from, to }) => to === 'pg' && roomOf(from) !== 'database')
    expect(wrong.map(say)).toEqual([])
    const manifest = JSON.parse(readFileSync(join(src, '../package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >
    const named = { ...manifest['dependencies'], ...manifest['optionalDependencies'] }
    const packages = imports.filter((one) => !isOurs(one) && !one.to.startsWith('node:') && !one.to.startsWith('.'))
    const nameOfPackage = (to: string): string =>
      to
        .split('/')
        .slice(0, to.startsWith('@') ? 2 : 1)
        .join('/')
    expect(packages.filter(({ to, typeOnly }) => !typeOnly && named[nameOfPackage(to)] === undefined).map(say)).toEqual(
      [],
    )
  })

  it('imports node: in no pure room but record/sha256.ts, and uses no Buffer there', () => {
    const inPure = (name: string): boolean => pure.includes(roomOf(name)) && name !== 'record/sha256'
    expect(imports.filter(({ from, to }) => inPure(from) && to.startsWith('node:')).map(say)).toEqual([])
    const code = (file: string): string => textOf(file).replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, '')
    expect(files.filter((file) => inPure(nameOf(file)) && /\bBuffer\./.test(code(file)))).toEqual([])
  })

  it('reads the environment where it enters only', () => {
    const allowed = new Set(['config.ts', 'producer/ci.ts', 'cli.ts'])
    expect(files.filter((file) => !allowed.has(file) && /\bprocess\.env\b/.test(textOf(file)))).toEqual([])
  })

  it('has no file over 300 lines, no default export, and none of the names that say nothing', () => {
    expect(files.filter((file) => textOf(file).trimEnd().split('\n').length > 300)).toEqual([])
    expect(files.filter((file) => /^export default /m.test(textOf(file)))).toEqual([])
    expect(
      files.filter((file) => /^(utils?|types|helpers?|lib|index|common|misc)\.tsx?$/.test(basename(file))),
    ).toEqual([])
  })
})
