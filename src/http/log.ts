import { type Principal, anonymous } from '../access/principal.ts'
import { getCheckpoint, getEntries, getTile } from '../api/records.ts'
import type { Tree } from '../ledger/tree.ts'
import { parseTilePath } from '../log/tiles.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, isLedgerName } from '../record/record.ts'
import { chooseEncoding, encodeAnswer } from './encoding.ts'
import type { Mount } from './mount.ts'

/** `/log/{org}/{ledger}/...`: C2SP tlog-tiles. Tiles are immutable and say so; the checkpoint is never to be kept. */
export function mountLog(
  mount: Mount,
  treeOf: (ledger: LedgerName) => Pick<Tree, 'checkpoint' | 'tile' | 'entries'> | undefined,
  isPublic: boolean,
): void {
  const lasting = { 'cache-control': `${isPublic ? 'public' : 'private'}, max-age=31536000, immutable` }

  const getTree = (who: Principal, { org, ledger }: { org: string; ledger: string }) => {
    const name = `${org}/${ledger}`
    const tree = isLedgerName(name) && (who === anonymous || who.org === org) ? treeOf(name) : undefined
    if (tree === undefined) throw new Problem('not_found', `there is no log ${name}`)
    if (who.repositories !== undefined)
      throw new Problem('forbidden', 'this credential is bound to repositories; the log is about all')
    return tree
  }

  mount(getCheckpoint, async ({ who, params }) => {
    const note = await getTree(who, params).checkpoint()
    if (note === undefined) throw new Problem('not_found', 'nothing is signed yet')
    return { type: 'text/plain; charset=utf-8', headers: { 'cache-control': 'no-cache' }, body: note }
  })

  mount(getTile, async ({ who, params }) => {
    const tree = getTree(who, params)
    const tile = parseTilePath(`tile/${params.level}/${params.tile}`)
    const bytes = typeof tile?.level === 'number' ? await tree.tile(tile.level, tile.index, tile.width) : undefined
    if (bytes === undefined) throw new Problem('not_found', 'the published tree has no such tile')
    return { type: 'application/octet-stream', headers: lasting, body: Buffer.from(bytes) }
  })

  mount(getEntries, async ({ who, params, headers }) => {
    const tree = getTree(who, params)
    const tile = parseTilePath(`tile/entries/${params.tile}`)
    const bytes = tile === undefined ? undefined : await tree.entries(tile.index, tile.width)
    if (bytes === undefined) throw new Problem('not_found', 'the published tree has no such entries')
    const answer = await encodeAnswer(Buffer.from(bytes), chooseEncoding(headers['accept-encoding']))
    const described = { ...lasting, vary: 'accept-encoding', ...answer.headers }
    return { type: 'application/octet-stream', headers: described, body: answer.body }
  })
}
