import { toBytes } from './bytes.ts'
import { readKept } from './kept.ts'
import { mutate } from './mutate.ts'
import { type Outcome, tryInput } from './outcome.ts'
import { createRandom, pick } from './random.ts'
import type { FuzzTarget } from './target.ts'

/** Rounds of one target: an input, an outcome. What is answered in a new way is kept and changed further. */

export interface Played {
  rounds: number
  /** How often each refusal, and `taken`, was the outcome. */
  outcomes: Record<string, number>
  /** The input that took longest. */
  slowest: { ms: number; input: Uint8Array }
}

export interface Finding {
  input: Uint8Array
  what: string
}

export interface PlayOptions {
  seed: number
  /** Ends when either is used up; the corpus, and what is kept of old findings, come first and always. */
  rounds: number
  seconds: number
  /** Is told each input before it is tried, so that it is known when nothing comes back. */
  onInput: (input: Uint8Array) => void
}

const [maxCorpus, maxCorpusBytes] = [400, 32_768]

export async function play(target: FuzzTarget, options: PlayOptions): Promise<Played | Finding> {
  const { seed, seconds, onInput } = options
  const good = target.corpus().map(toBytes)
  const first = [...good, ...readKept(target.name)]
  const corpus = [...first]
  const dictionary = target.dictionary ?? []
  const signs = new Set<string>()
  const outcomes: Record<string, number> = {}
  const random = createRandom(seed)
  let slowest: Played['slowest'] = { ms: 0, input: new Uint8Array() }
  const until = performance.now() + seconds * 1_000
  const last = first.length + options.rounds
  let round = 0
  for (; round < first.length || (round < last && performance.now() < until); round += 1) {
    const input = first[round] ?? mutate(pick(random, random(3) === 0 ? corpus : good), random, { corpus, dictionary })
    onInput(input)
    const began = performance.now()
    const outcome: Outcome = await tryInput(target, input)
    const ms = performance.now() - began
    if (ms > slowest.ms) slowest = { ms, input }
    if (outcome.kind === 'finding') return { input, what: outcome.sign }
    if (round < good.length && outcome.kind !== 'taken' && target.never !== 'taken')
      return { input, what: `good input ${round} is not taken: ${outcome.sign}` }
    outcomes[outcome.kind] = (outcomes[outcome.kind] ?? 0) + 1
    // Of what is taken, some: most of it says the same.
    if (round < first.length || (outcome.kind === 'taken' ? random(16) > 0 : signs.has(outcome.sign))) continue
    signs.add(outcome.sign)
    if (corpus.length < maxCorpus && input.length <= maxCorpusBytes) corpus.push(input)
  }
  return { rounds: round, outcomes, slowest }
}
