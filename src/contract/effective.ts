import type { Contract } from './form.ts'
import { compileGlobs } from './glob.ts'

/**
 * The contract that holds for a repository: its own, with whatever first-level key it does not have taken whole from the org's default;
 * the default alone where it has none; undefined where there is neither.
 */
export function effectiveContract(own: Contract | undefined, org: Contract | undefined): Contract | undefined {
  if (own === undefined || org === undefined || !own.inherit) return own ?? org
  const given = Object.entries(own).filter(([, value]) => value !== undefined)
  return { ...org, ...Object.fromEntries(given) } as Contract // each member is one of a contract's own
}

/** Whether a ref is one that the contract tracks. A contract without refs tracks none. */
export function isTracked(contract: Contract, ref: string): boolean {
  return compileGlobs(contract.refs ?? [])(ref)
}

/** Which paths are production files; undefined when the contract does not say. */
export function productionFilter({ production }: Contract): ((path: string) => boolean) | undefined {
  if (production === undefined) return undefined
  const isIncluded = compileGlobs(production.include)
  const isExcluded = compileGlobs(production.exclude.map(({ glob }) => glob))
  return (path) => isIncluded(path) && !isExcluded(path)
}

/** What the digest of a commit's production files is made over, file by file in the order of paths: equal digests, equal files. */
export function productionLine(path: string, blob: string): string {
  return `${path}\0${blob}\n`
}
