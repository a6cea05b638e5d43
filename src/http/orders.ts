import { type Principal, may } from '../access/principal.ts'
import { discardDeadLetters, estimateDestination, lookUpDestination, moveDestination, redeliverDestination, retryDeadLetters, settleDestination } from '../api/orders.ts' // oxfmt-ignore
import { Problem } from '../record/problem.ts'
import type { Ordering } from '../watch/ordering.ts'
import type { Mount } from './mount.ts'

/** Orders are about all repositories, so a credential that is bound to some gives none. */
export function mountOrders(mount: Mount, ordering: Ordering): void {
  const demand = (who: Principal, scope: 'operate' | 'audit' = 'operate'): void => {
    if (may(who, 'operate', {}) || may(who, scope, {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories')
  }

  for (const [route, decide] of [
    [retryDeadLetters, ordering.retry],
    [discardDeadLetters, ordering.discard],
  ] as const) {
    mount(route, async ({ who, body: { reason, ...choice } }) => {
      demand(who)
      return { body: await decide(who, choice, reason) }
    })
  }

  mount(redeliverDestination, async ({ who, params: { name }, body: { ledger, from, to, reason } }) => {
    demand(who)
    const stretch = ledger !== undefined && from !== undefined && to !== undefined ? { ledger, from, to } : { ledger }
    return { body: { destination: name, ...(await ordering.redeliver(who, name, stretch, reason)) } }
  })

  mount(lookUpDestination, async ({ who, params: { name } }) => {
    demand(who)
    return { body: { destination: name, searches: await ordering.lookup(name) } }
  })

  mount(settleDestination, async ({ who, params: { name }, query: { complete, reason }, body }) => {
    demand(who)
    const settled = await ordering.settle(who, name, body, { complete: complete === 'true', reason })
    return { body: { destination: name, ...settled } }
  })

  mount(estimateDestination, async ({ who, params: { name }, query: { days } }) => {
    demand(who, 'audit')
    const { keeps, ledgers } = await ordering.estimate(name, days)
    const told = ledgers.map(({ storedBytes, wireBytes, ...rest }) => ({ ...rest, stored_bytes: storedBytes, wire_bytes: wireBytes })) // oxfmt-ignore
    return { body: { destination: name, keeps: keeps ?? null, ledgers: told } }
  })

  mount(moveDestination, async ({ who, params: { name }, body: { reason } }) => {
    demand(who)
    return { body: { destination: name, ...(await ordering.moved(who, name, reason)) } }
  })
}
