import { Problem } from '../record/problem.ts'
import { toPrintable } from './refused.ts'

/** Parts of a report that are the results of different suites. They are read together only when somebody asks for that. */
export interface Sections {
  /** Begins the section of this name. Is it to be read? */
  isWanted(name: string): boolean
  /** The names that were read. Throws Problem('report_ambiguous') when there is a choice that nobody made, or none like the one made. */
  end(): string[]
}

/** Names that are listed where somebody has to choose. */
const shown = 20

/** `wanted` is a name, `*` for all together, or undefined when nothing was said. */
export function createSections(wanted: string | undefined): Sections {
  const names: string[] = []
  let count = 0
  const list = (): string =>
    `${names.map((name) => JSON.stringify(toPrintable(name))).join(', ')}${count > shown ? ` and ${count - shown} more` : ''}`

  return {
    isWanted(name) {
      count += 1
      if (names.length < shown || name === wanted) names.push(name)
      return wanted === undefined ? count === 1 : wanted === '*' || name === wanted
    },
    end() {
      if (wanted === undefined && count > 1)
        throw new Problem(
          'report_ambiguous',
          `the report has the results of ${count} suites: name one with --section NAME (section=), or '*' for all of them together: ${list()}`,
          { extra: { sections: names } },
        )
      if (wanted === undefined || wanted === '*') return names
      if (names.includes(wanted)) return [wanted]
      throw new Problem(
        'report_ambiguous',
        `the report has no section ${JSON.stringify(toPrintable(wanted))}, but: ${list()}`,
        { extra: { sections: names } },
      )
    },
  }
}
