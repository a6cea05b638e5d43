import { may } from '../access/principal.ts'
import { makeEvidence } from '../api/evidence.ts'
import type { OpenPack } from '../evidence/pack.ts'
import { Problem } from '../record/problem.ts'
import type { Mount } from './mount.ts'

/** Evidence packs: streamed as they are made, after the question went on record. */
export function mountEvidence(mount: Mount, openPack: OpenPack): void {
  mount(makeEvidence, async ({ who, body, signal }) => {
    const { repository } = body
    if (!may(who, 'audit', repository === undefined ? {} : { repository }))
      throw new Problem('forbidden', 'this credential is bound to repositories: name one of them')
    const bound = who.repositories !== undefined
    const { scope, stream } = await openPack(body, { id: who.id, method: who.method, bound })
    signal.addEventListener('abort', () => stream.destroy(), { once: true })
    const [from, to] = [scope.question.from.slice(0, 10), scope.question.to.slice(0, 10)]
    return {
      type: 'application/zip',
      headers: {
        'content-disposition': `attachment; filename="proofline-${scope.org}-${from}-${to}.zip"`,
        'proofline-as-of': scope.as_of,
      },
      body: stream,
    }
  })
}
