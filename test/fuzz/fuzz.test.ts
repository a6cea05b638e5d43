import { afterAll, describe, expect, it } from 'vitest'
import { createFuzzer } from './engine/fuzz.ts'
import { modules } from './modules.ts'

/** A few hundred rounds of each target, the same each time; `npm run fuzz` plays for minutes, with another seed. */

const seed = Number(process.env['PROOFLINE_FUZZ_SEED'] ?? 20_261_123)

for (const { module, targets } of modules) {
  describe(`hostile bytes, ${module.pathname.replace(/.*\/(.*)\.ts$/, '$1')}`, () => {
    const fuzzer = createFuzzer(module)
    afterAll(() => fuzzer.close())

    it.each(targets.map((target) => ({ name: target.name, target })))(
      '$name takes or refuses them',
      async ({ name, target: { rounds = 300, never } }) => {
        const played = await fuzzer.run({ name, seed, rounds, seconds: Infinity })
        if ('what' in played)
          expect.fail(`PROOFLINE_FUZZ_SEED=${seed}: ${played.what}\non ${JSON.stringify(Buffer.from(played.input).toString().slice(0, 2_000))}`) // oxfmt-ignore
        // Both ends are reached, or it would show nothing.
        const { taken = 0, ...refused } = played.outcomes
        expect(taken > 0).toBe(never !== 'taken')
        expect(Object.keys(refused).length > 0).toBe(never !== 'refused')
      },
      120_000,
    )
  })
}
