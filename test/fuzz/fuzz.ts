import { createFuzzer } from './engine/fuzz.ts'
import { keep } from './engine/kept.ts'
import { modules } from './modules.ts'

/**
 * `npm run fuzz [-- <target>...]`: each target for PROOFLINE_FUZZ_SECONDS (20), with a seed that is printed, or that of PROOFLINE_FUZZ_SEED. What is
 * found is made small and kept in `test/fixtures/fuzz/<target>/`, where `npm test` tries it again; then the exit code is 1.
 */

const seconds = Number(process.env['PROOFLINE_FUZZ_SECONDS'] ?? 20)
const seed = Number(process.env['PROOFLINE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const chosen = process.argv.slice(2)
const isChosen = ({ name }: { name: string }): boolean => chosen.length === 0 || chosen.includes(name)

console.log(`PROOFLINE_FUZZ_SEED=${seed} PROOFLINE_FUZZ_SECONDS=${seconds}`)
let total = 0
let findings = 0
for (const { module, targets } of modules) {
  const fuzzer = createFuzzer(module)
  for (const { name } of targets.filter(isChosen)) {
    const played = await fuzzer.run({ name, seed, rounds: Infinity, seconds })
    if ('what' in played) {
      findings += 1
      console.log(`${name}: FOUND, kept as ${keep(name, played.input)}\n${played.what}`)
    } else {
      total += played.rounds
      const outcomes = Object.entries(played.outcomes).toSorted(([, a], [, b]) => b - a)
      const { ms, input } = played.slowest
      console.log(`${name}: ${played.rounds} rounds, ${outcomes.map(([kind, n]) => `${kind} ${n}`).join(', ')}; slowest ${Math.round(ms)} ms for ${input.length} bytes`) // oxfmt-ignore
    }
  }
  await fuzzer.close()
}
console.log(`${total} rounds, ${findings} findings`)
process.exitCode = findings === 0 ? 0 : 1
