import { Problem } from '../record/problem.ts'

/**
 * Lets so many in at a time and turns the others away at once: a queue of open uploads would only hide that there are too many. One identity
 * never has all places, so that a job that went wild stops no other.
 */
export interface Gate {
  /** Answers what must be called to leave; throws Problem overloaded when it is full. */
  enter(identity: string): () => void
}

export function createGate(places: number, placesOfOne: number): Gate {
  let taken = 0
  const takenBy = new Map<string, number>()
  return {
    enter(identity) {
      const own = takenBy.get(identity) ?? 0
      if (taken >= places) throw new Problem('overloaded', `${places} uploads are under way already`)
      if (own >= placesOfOne)
        throw new Problem('overloaded', `${placesOfOne} uploads of this identity are under way already`)
      taken += 1
      takenBy.set(identity, own + 1)
      let inside = true
      return () => {
        if (!inside) return
        inside = false
        taken -= 1
        const left = (takenBy.get(identity) ?? 1) - 1
        if (left === 0) takenBy.delete(identity)
        else takenBy.set(identity, left)
      }
    },
  }
}
