/** What a reader tells about a report besides what it put into the tally. */
export interface Reading {
  definition: string
  /** The tool's own way of filling the format, where it changes what a line is. */
  dialect?: string
  tool?: { name: string; version?: string }
  /** Why the report cannot be whole; undefined when nothing says so. */
  incomplete?: string
  /** The report is whole and says itself that there was nothing to measure (a module without classes): no file is no mistake then. */
  isEmpty?: true
  /** Totals as the report itself declares them, summed over its sections; undefined when it declares none. */
  declared?: Declared
  /** Names of tests or suites in the report, at most twenty: more than one means that runs were joined before they came here. */
  testNames: string[]
}

export interface Declared {
  lines?: { found: number; executed: number }
  branches?: { found: number; covered: number }
  /** Lines that the tool's configuration took out of what is counted. */
  excluded?: number
  statements?: { found: number; covered: number }
}
