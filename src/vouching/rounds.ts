/**
 * Which checkpoint goes to the witnesses of a ledger. A quorum is so many cosignatures of one checkpoint, and under load the newest is another
 * one at every look: witnesses that each took what they saw would hardly ever meet. So all are taken the same one, and the next when each that
 * answers has answered. One that fails is not waited for; a slow one sets the pace, to which its time limit is the bound.
 */
export interface Rounds {
  /** What to take to this witness now; undefined: it has cosigned what there is to cosign, and others are still at it. */
  next(witness: string): Promise<Offered | undefined>
  /** It was asked about a checkpoint of so many records. `isGood`: and gave what was asked for. */
  answered(witness: string, size: number, isGood: boolean): void
}

export interface Offered {
  size: number
  note: string
}

export function createRounds(witnesses: readonly string[], newest: () => Promise<Offered | undefined>): Rounds {
  const states = new Map(witnesses.map((name) => [name, { size: -1, isGood: true }]))
  let offered: Offered | undefined
  let looking: Promise<void> | undefined

  /** One look for all that come meanwhile. */
  const look = (): Promise<void> =>
    (looking ??= newest()
      .then((found) => void (offered = found))
      .finally(() => (looking = undefined)))

  return {
    async next(witness) {
      const wanted = offered?.size ?? -1
      const isOpen = [...states.values()].some(({ size, isGood }) => isGood && size < wanted)
      if (!isOpen) await look()
      else if (stateOf(witness).size >= wanted) return undefined
      return offered
    },
    answered(witness, size, isGood) {
      const state = stateOf(witness)
      state.isGood = isGood
      if (isGood) state.size = Math.max(state.size, size)
    },
  }

  function stateOf(witness: string): { size: number; isGood: boolean } {
    const state = states.get(witness)
    if (state === undefined) throw new Error(`${witness} is none of the witnesses`)
    return state
  }
}
