import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { modules } from './modules.ts'

/** What reads bytes or texts from outside is fuzzed: found by its name and what it takes first. */

const src = join(import.meta.dirname, '../../src')
const rooms = ['record', 'formats', 'log', 'verify', 'contract', 'api', 'admission', 'answers', 'access', 'delivery', 'http', 'producer'] // oxfmt-ignore
const reader =
  /^export (?:async )?(?:function\*?|const) ((?:parse|read|decode|open|split|find)[A-Z]\w*)[^(]*\(\s*\w+: (?:string|Uint8Array|AsyncIterable<Uint8Array>)(?: \| (?:string|Uint8Array|undefined))*[,)\n]/gm

/** Named alike, and not for bytes from outside; or reached by what is fuzzed, which lists what it calls itself. */
const exempt: Readonly<Record<string, string>> = {
  'admission/run-at-head readRunAtHead': 'a name, looked up in the ledger',
  'admission/run openParts': 'a name, looked up in the ledger',
  'delivery/bindings readHere': 'a name, looked up in the database',
  'delivery/body readCheck': 'a digest that this program made',
  'delivery/body readRawCheck': 'a digest that this program made',
  'delivery/source openFile': 'a path',
  'producer/configuration readConfiguration': 'a folder',
  'producer/configuration readGivenConfiguration': 'a path',
  'producer/artifact readArtifact': 'opens a file; its bytes go to the formats',
  'producer/artifact readDecoded': 'opens a file; http/body decodes alike',
  'producer/spool readSpool': 'a folder; what its plan says goes to producer/spool-plan parseSpooledPlan first',
  'producer/git readTree': 'asks git; names end in NUL',
  'producer/git findCheckout': 'a folder',
  'producer/git findCommit': 'asks git',
}

it('nothing reads bytes from outside without being fuzzed', () => {
  const reached = new Set(modules.flatMap(({ targets }) => targets.flatMap(({ reaches }) => reaches)))
  const found = rooms.flatMap((room) =>
    readdirSync(join(src, room))
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        [...readFileSync(join(src, room, file), 'utf8').matchAll(reader)].map(
          ([, name]) => `${room}/${file.slice(0, -3)} ${name}`,
        ),
      ),
  )
  expect(found.length).toBeGreaterThan(40)
  expect(found.filter((one) => !reached.has(one) && exempt[one] === undefined)).toEqual([])
  expect(Object.keys(exempt).filter((one) => !found.includes(one) || reached.has(one))).toEqual([])
})

it('every target has a name of its own', () => {
  const names = modules.flatMap(({ targets }) => targets.map(({ name }) => name))
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})
