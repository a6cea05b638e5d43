import { type Principal, may } from '../access/principal.ts'
import type { HistoryAnswers } from '../answers/history.ts'
import { type FilesAnswer, type LinesAnswer, fileHistory, lineHistory } from '../api/history.ts'
import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, testTypes, toLedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** `/v1/history`: lines and files through the runs of a ref. */
export function mountHistory(mount: Mount, answers: HistoryAnswers, generations: Pick<Generations, 'chain'>): void {
  const ledgersOf = ({ org }: Principal): LedgerName[] =>
    [...testTypes, 'changes' as const].flatMap((kind) => generations.chain(toLedgerName(`${org}/${kind}`)))
  const demandVisible = (who: Principal, repository: string): void => {
    if (!may(who, 'audit', { repository }))
      throw new Problem('forbidden', `this credential may not see the history of ${repository}`)
  }

  mount(lineHistory, async ({ who, query: { line, test_type: testType, as_of: asOf, ...rest } }) => {
    demandVisible(who, rest.repository)
    const [first = 0, last = first] = line.split('-').map(Number)
    if (last < first || last - first >= maxLines)
      throw new Problem('request_invalid', `line: a range goes upwards and has at most ${maxLines} lines`)
    const body = await answers.lines(ledgersOf(who), { ...rest, first, last, testType, asOf })
    return { body: body satisfies LinesAnswer }
  })

  mount(fileHistory, async ({ who, query: { test_type: testType, as_of: asOf, ...rest } }) => {
    demandVisible(who, rest.repository)
    const body = await answers.files(ledgersOf(who), { ...rest, testType, asOf })
    return { body: body satisfies FilesAnswer }
  })
}

const maxLines = 100
