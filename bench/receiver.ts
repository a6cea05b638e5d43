import { startFakeBulk } from '../test/support/bulk.ts'
import { startFakeHec } from '../test/support/hec.ts'
import { childAnswer, childInput } from './proc.ts'

/** What arrived: copies included, and how many different ids. */
export interface Received {
  stored: number
  distinct: number
}

/** The tests' Splunk or Elastic in a process of its own, keeping ids only. Says where it is, then what it has whenever it is asked. */
const { type } = childInput<{ type: 'splunk' | 'elastic' }>()
if (type === 'splunk') {
  const hec = await startFakeHec({ keep: 'ids', useAck: true, maxEvents: 10_000_000 })
  process.on(
    'message',
    () => void childAnswer({ stored: hec.counters.stored, distinct: hec.ids().length } satisfies Received),
  )
  await childAnswer({ url: hec.url, secret: hec.token })
} else {
  // Every pass asks for indexes of its own, so that no pass meets the documents of the one before.
  const bulk = await startFakeBulk({ keep: 'ids', maxDocuments: 20_000_000 })
  process.on(
    'message',
    () => void childAnswer({ stored: bulk.counters.stored, distinct: new Set(bulk.ids()).size } satisfies Received),
  )
  await childAnswer({ url: bulk.url, secret: bulk.apiKey })
}
