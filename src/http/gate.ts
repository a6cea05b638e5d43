import { Problem } from '../record/problem.ts'

/** Lets so many in at a time and turns the others away at once: a queue of open uploads would only hide that there are too many. */
export interface Gate {
  /** Answers what must be called to leave; throws Problem overloaded when it is full. */
  enter(): () => void
}

export function createGate(places: number): Gate {
  let taken = 0
  return {
    enter() {
      if (taken >= places) throw new Problem('overloaded', `${places} uploads are under way already`)
      taken += 1
      let inside = true
      return () => {
        if (inside) taken -= 1
        inside = false
      }
    },
  }
}
