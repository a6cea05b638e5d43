import { type Principal, anonymous } from '../access/principal.ts'
import {
  getCheckpoint,
  getEntries,
  getLaterCheckpoint,
  getLaterEntries,
  getLaterTile,
  getTile,
} from '../api/records.ts'
import type { Tree } from '../ledger/tree.ts'
import { parseTilePath } from '../log/tiles.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, isLedgerName } from '../record/record.ts'
import { chooseEncoding, encodeAnswer } from './encoding.ts'
import type { Mount, Reply } from './mount.ts'

/** `/log/{org}/{ledger}/...`: C2SP tlog-tiles. Tiles are immutable and say so; the checkpoint is never to be kept. */
export function mountLog(
  mount: Mount,
  treeOf: (ledger: LedgerName) => Pick<Tree, 'checkpoint' | 'tile' | 'entries'> | undefined,
  isPublic: boolean,
): void {
  const lasting = { 'cache-control': `${isPublic ? 'public' : 'private'}, max-age=31536000, immutable` }

  const getTree = (who: Principal, { org, ledger, generation }: LogParams) => {
    const name = [org, ledger, generation].filter((part) => part !== undefined).join('/')
    const tree = isLedgerName(name) && (who === anonymous || who.org === org) ? treeOf(name) : undefined
    if (tree === undefined) throw new Problem('not_found', `there is no log ${name}`)
    if (who.repositories !== undefined)
      throw new Problem('forbidden', 'this credential is bound to repositories; the log is about all')
    return tree
  }

  const checkpoint = async (who: Principal, params: LogParams): Promise<Reply> => {
    const note = await getTree(who, params).checkpoint()
    if (note === undefined) throw new Problem('not_found', 'nothing is signed yet')
    return { type: 'text/plain; charset=utf-8', headers: { 'cache-control': 'no-cache' }, body: note }
  }

  const hashes = async (who: Principal, params: LogParams & { level: string; tile: string }): Promise<Reply> => {
    const tree = getTree(who, params)
    const tile = parseTilePath(`tile/${params.level}/${params.tile}`)
    const bytes = typeof tile?.level === 'number' ? await tree.tile(tile.level, tile.index, tile.width) : undefined
    if (bytes === undefined) throw new Problem('not_found', 'the published tree has no such tile')
    return { type: 'application/octet-stream', headers: lasting, body: Buffer.from(bytes) }
  }

  const entries = async (who: Principal, params: LogParams & { tile: string }, accepted: string | undefined) => {
    const tree = getTree(who, params)
    const tile = parseTilePath(`tile/entries/${params.tile}`)
    const bytes = tile === undefined ? undefined : await tree.entries(tile.index, tile.width)
    if (bytes === undefined) throw new Problem('not_found', 'the published tree has no such entries')
    const answer = await encodeAnswer(Buffer.from(bytes), chooseEncoding(accepted))
    const described = { ...lasting, vary: 'accept-encoding', ...answer.headers }
    return { type: 'application/octet-stream', headers: described, body: answer.body }
  }

  for (const route of [getCheckpoint, getLaterCheckpoint] as const)
    mount(route, ({ who, params }) => checkpoint(who, params))
  for (const route of [getTile, getLaterTile] as const) mount(route, ({ who, params }) => hashes(who, params))
  for (const route of [getEntries, getLaterEntries] as const)
    mount(route, ({ who, params, headers }) => entries(who, params, headers['accept-encoding']?.toString()))
}

interface LogParams {
  org: string
  ledger: string
  generation?: string
}
