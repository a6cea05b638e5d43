import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { ConsumerRow } from './consumer-places.ts'

/** Every statement on proofline_derived.consumers. */

interface Row extends Omit<ConsumerRow, 'rewound'> {
  rewoundAt: Micros | null
  rewoundFrom: number | null
  rewoundTo: number | null
}

const columns = `ledger, consumer, generation, next, by, seen_at as "seenAt", moved_at as "movedAt", rewound_at as "rewoundAt",
  rewound_from as "rewoundFrom", rewound_to as "rewoundTo"`

const toConsumer = ({ rewoundAt, rewoundFrom, rewoundTo, ...row }: Row): ConsumerRow => ({
  ...row,
  rewound:
    rewoundAt === null || rewoundFrom === null || rewoundTo === null
      ? undefined
      : { at: rewoundAt, from: rewoundFrom, to: rewoundTo },
})

export async function consumersOf(db: Queryable, ledger: LedgerName): Promise<ConsumerRow[]> {
  const { rows } = await db.query<Row>({
    name: 'consumers_of',
    text: `select ${columns} from consumers where ledger = $1 order by consumer`,
    values: [ledger],
  })
  return rows.map(toConsumer)
}

/** Held until the transaction ends, in one order, so that two processes that write the same names wait for each other once. */
export async function lockConsumers(
  db: Queryable,
  ledger: LedgerName,
  names: readonly string[],
): Promise<ConsumerRow[]> {
  const { rows } = await db.query<Row>({
    name: 'lock_consumers',
    text: `select ${columns} from consumers where ledger = $1 and consumer = any($2::text[]) order by consumer for update`,
    values: [ledger, names],
  })
  return rows.map(toConsumer)
}

/** A name that two processes bring at once becomes the row of the later one. */
export async function saveConsumers(db: Queryable, ledger: LedgerName, rows: readonly ConsumerRow[]): Promise<void> {
  await db.query({
    name: 'save_consumers',
    text: `insert into consumers (ledger, consumer, generation, next, by, seen_at, moved_at, rewound_at, rewound_from, rewound_to)
           select $1, * from unnest($2::text[], $3::integer[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
           on conflict (ledger, consumer) do update set generation = excluded.generation, next = excluded.next, by = excluded.by,
             seen_at = excluded.seen_at, moved_at = excluded.moved_at, rewound_at = excluded.rewound_at,
             rewound_from = excluded.rewound_from, rewound_to = excluded.rewound_to`,
    values: [
      ledger,
      rows.map(({ consumer }) => consumer),
      rows.map(({ generation }) => generation),
      rows.map(({ next }) => next),
      rows.map(({ by }) => by),
      rows.map(({ seenAt }) => seenAt),
      rows.map(({ movedAt }) => movedAt),
      rows.map(({ rewound }) => rewound?.at ?? null),
      rows.map(({ rewound }) => rewound?.from ?? null),
      rows.map(({ rewound }) => rewound?.to ?? null),
    ],
  })
}

/** How many there were. */
export async function deleteConsumer(db: Queryable, ledgers: readonly LedgerName[], consumer: string): Promise<number> {
  const { rowCount } = await db.query({
    name: 'delete_consumer',
    text: 'delete from consumers where ledger = any($1::text[]) and consumer = $2',
    values: [ledgers, consumer],
  })
  return rowCount ?? 0
}

/** Keeps those that were seen last: names are the callers' word, and must not fill the table. */
export async function dropOldConsumers(db: Queryable, ledger: LedgerName, keep: number): Promise<void> {
  await db.query({
    name: 'drop_old_consumers',
    text: `delete from consumers where ledger = $1 and consumer in
             (select consumer from consumers where ledger = $1 order by seen_at desc, consumer offset $2)`,
    values: [ledger, keep],
  })
}
