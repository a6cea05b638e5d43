import { readCi, readEnvironment } from '../producer/ci.ts'
import type { Ci } from '../producer/ci-facts.ts'
import { wholeCommit } from './commit-name.ts'
import { findPlace } from './contract-place.ts'

/** What a decision is about: what the user said, else what CI says, else what the checkout says. */

export interface SubjectOptions {
  repository?: string
  build?: string
}

export interface SubjectPlace {
  repository: string
  commit: string | undefined
  build: string | undefined
  ref: string | undefined
  ci: Ci | undefined
  folder: string | undefined
}

/** A build that is named goes by itself: it need not be of the commit that is checked out here. */
export async function findSubject(
  named: string | undefined,
  { repository, build }: SubjectOptions,
): Promise<SubjectPlace> {
  const { env, event } = readEnvironment()
  const ci = readCi(env, event)
  const place = await findPlace(undefined, repository === undefined ? {} : { repository })
  const folder = place.checkout?.folder
  const of = { repository: place.repository, ci, folder }
  if (named !== undefined) return { ...of, commit: await wholeCommit(named, folder), build, ref: undefined }
  if (build !== undefined) return { ...of, commit: undefined, build, ref: undefined }
  return { ...of, commit: place.commit, build: ci?.build, ref: place.ref }
}

/** Without the members that are undefined: bodies are strict. */
export function defined(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
