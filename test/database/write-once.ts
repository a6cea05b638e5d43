import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import pg from 'pg'
import type { Queryable } from '../../src/database/database.ts'
import { auditDatabase } from '../../src/ledger/audit-database.ts'
import { createReader } from '../../src/ledger/read.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { findWriteOnceFaults } from '../../src/ledger/write-once.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

/**
 * Every way round a write-once table that is known: refused where that was promised, and where it cannot be (an owner, a superuser) done, and
 * then found: by the check of the fence, by the audit, or by the next append. Each is rolled back.
 */
export function writeOnceContract(server: string): void {
  const ledger = 'main/unit'
  const origin = `localhost/${ledger}`
  const month = new Date().toISOString().slice(0, 7).replace('-', '_')
  const partition = `segments_unit_${month}`
  let test: TestDatabase
  let node: TestNode
  let service: pg.Client

  beforeAll(async () => {
    test = await createTestDatabase()
    await test.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
    node = await openNode(test.db, await createMemorySigner())
    for (let i = 0; i < 4; i++) await node.book.appender.submit([aSubmission(`run:${i}`, `run:${i}`, 100)])
    await test.owner.query({ text: `do $$ begin create role proofline_test_login login password 'test'; exception when duplicate_object then null; end $$` }) // oxfmt-ignore
    await test.owner.query({ text: 'grant proofline_runtime to proofline_test_login' })
    // Logged in as the service would be where an administrator made its user: no superuser behind the role.
    service = new pg.Client({
      connectionString: test.url.replace(/^(\w+:\/\/)[^/@]*@?/, '$1proofline_test_login:test@'),
    })
    await service.connect()
    await service.query('set role proofline_runtime')
    await service.query('set search_path = proofline, proofline_derived')
  }, 120_000)
  afterAll(async () => {
    await service.end()
    await node.book.close()
    await test.drop()
  })

  const undo = new Error('undo')
  /** Runs `work` in a transaction of a superuser, which acts as the owner where told, and takes it all back. */
  async function as(who: 'owner' | 'superuser', work: (tx: Queryable) => Promise<void>): Promise<void> {
    const done = test.owner.transaction(async (tx) => {
      if (who === 'owner') await tx.query({ text: 'set local role proofline_owner' })
      await work(tx)
      throw undo
    })
    await expect(done).rejects.toBe(undo)
  }
  async function found(tx: Queryable): Promise<{ audit: string[]; fence: string[] }> {
    await tx.query({ text: 'reset role' })
    const reader = createReader(tx, createWatch(tx))
    const vkeys = [await createSigningKey(origin, 1, new Uint8Array(32).fill(7))]
    const { differences } = await auditDatabase({ db: tx, reader, ledger, origin, vkeys, signal: new AbortController().signal }) // oxfmt-ignore
    const fence = await findWriteOnceFaults(tx)
    return {
      audit: differences.map(({ kind }) => kind),
      fence: fence.map(({ subject, what }) => `${subject}: ${what}`),
    }
  }
  const flip = 'payloads = set_byte(payloads, 0, get_byte(payloads, 0) # 1)'

  describe(`evidence on ${server}`, () => {
    it('stands behind its fence, every table and partition of it', async () => {
      expect(await findWriteOnceFaults(test.db)).toEqual([])
      const { rows } = await test.db.query<{ n: number }>({ text: `select count(*)::integer as n from pg_trigger where tgname = 'write_once_row' and tgenabled = 'A'` }) // oxfmt-ignore
      expect(rows[0]?.n).toBeGreaterThan(30)
    })

    it.each([
      [`update segments set ${flip}`],
      ['delete from segments'],
      ['truncate segments'],
      ['delete from heads'],
      [`update submissions set digest = digest`],
      [`merge into heads using (select 1) as one on true when matched then delete`],
      [`insert into checkpoints (ledger, size, note) values ('main/unit', 100, '') on conflict (ledger, size) do update set note = ''`],
      [`insert into ${partition} (ledger, test_type, month, first_seq, count, first_time, kind, raw_bytes, payloads, leaf_hashes, id_hashes) select ledger, test_type, month, 10000, count, first_time, kind, raw_bytes, payloads, leaf_hashes, id_hashes from segments limit 1`],
      ['set session_replication_role = replica'],
      ['alter table segments disable trigger write_once_row'],
      [`create rule nothing as on insert to heads do instead nothing`],
      ['set role proofline_owner'],
      ['create table proofline.mine (a integer)'],
    ])('refuses the service: %s', async (statement) => {
      await expect(service.query(statement)).rejects.toMatchObject({ code: '42501' })
    }) // oxfmt-ignore

    it('lets the service insert what its program would not, a record of 2001, and the audit finds it', async () => {
      // A stolen service credential writes as the service does. What was signed before cannot be changed by it; what it adds is no continuation.
      await as('superuser', async (tx) => {
        await tx.query({ text: 'set local role proofline_runtime' })
        await tx.query({ text: `insert into segments (ledger, test_type, month, first_seq, count, first_time, kind, raw_bytes, payloads, leaf_hashes, id_hashes)
          select ledger, test_type, month, 400, count, 1000000000000000, kind, raw_bytes, payloads, leaf_hashes, id_hashes from segments where first_seq = 0` }) // oxfmt-ignore
        expect((await found(tx)).audit).toContain('row-mismatch')
      })
    })

    it.each([
      ['owner', `update segments set ${flip}`],
      ['owner', `update ${partition} set ${flip}`],
      ['owner', `delete from ${partition}`],
      ['owner', 'truncate segments'],
      ['owner', `truncate ${partition}`],
      ['superuser', `truncate ${partition}`],
      ['superuser', `truncate heads`],
      ['superuser', `update segments set ${flip}`],
    ] as const)('refuses the %s: %s', async (who, statement) => {
      const done = test.owner.transaction(async (tx) => {
        if (who === 'owner') await tx.query({ text: 'set local role proofline_owner' })
        await tx.query({ text: statement })
      })
      await expect(done).rejects.toMatchObject({ code: 'PL001' })
    })

    it('refuses a superuser who sets session_replication_role to replica', async () => {
      const done = test.owner.transaction(async (tx) => {
        await tx.query({ text: 'set local session_replication_role = replica' })
        await tx.query({ text: `update ${partition} set ${flip}` })
      })
      await expect(done).rejects.toMatchObject({ code: 'PL001' })
    })

    it.each([
      ['owner', 'detaches a partition and deletes', [`alter table segments detach partition ${partition}`, `delete from ${partition} where first_seq = 100`], 'missing', `${partition}: trigger write_once_row does not fire always`],
      ['owner', 'disables the trigger of the parent and updates', ['alter table segments disable trigger write_once_row', `update segments set ${flip} where first_seq = 100`], 'row-mismatch', 'segments: trigger write_once_row does not fire always'],
      ['owner', 'disables the trigger of one partition and updates', [`alter table ${partition} disable trigger write_once_row`, `update segments set ${flip} where first_seq = 100`], 'row-mismatch', `${partition}: trigger write_once_row does not fire always`],
      ['owner', 'lets the trigger fire at its origin only', ['alter table heads enable trigger write_once_row'], undefined, 'heads: trigger write_once_row does not fire always'],
      ['owner', 'replaces the function by one that does nothing, and deletes', ['create or replace function proofline.refuse_change() returns trigger language plpgsql as $$ begin return old; end $$', 'delete from heads where size = 200'], 'row-mismatch', 'refuse_change: it is another function than the one that refuses'],
      ['owner', 'drops a trigger and truncates', ['drop trigger write_once_truncate on tile_roots', 'truncate tile_roots'], 'tile-mismatch', 'tile_roots: trigger write_once_truncate does not fire always'],
      ['owner', 'drops a partition', [`drop table ${partition}`], 'missing', undefined],
      ['owner', 'rewrites a column with its type', ['alter table heads alter column root type bytea using decode(md5(root) || md5(root), $$hex$$)'], 'root-mismatch', undefined],
      ['owner', 'rewrites the records with a type', [`alter table segments alter column payloads type bytea using substring(payloads from 2)`], 'row-mismatch', undefined],
      ['owner', 'gives somebody rights', ['grant update (note) on checkpoints to proofline_runtime', 'grant delete on heads to public'], undefined, 'checkpoints: proofline_runtime may update note'],
      ['owner', 'hides rows behind row security', ['alter table heads enable row level security'], undefined, 'heads: row security hides rows of it'],
      ['superuser', 'disables a trigger in the catalogue and updates', ['set local allow_system_table_mods = on', `update pg_trigger set tgenabled = 'D' where tgname like 'write_once%'`,
          // What the catalogue says is read anew when the row of the table itself is touched.
          `update pg_class set relhastriggers = relhastriggers where relname like 'segments%'`, `update ${partition} set ${flip} where first_seq = 100`], 'row-mismatch', `${partition}: trigger write_once_row does not fire always`],
      ['superuser', 'makes the owner a role that logs in', ['alter role proofline_owner login'], undefined, 'proofline_owner: the role is a superuser, or may log in'],
      ['superuser', 'lets the service act as the owner', ['grant proofline_owner to proofline_runtime'], undefined, 'proofline_runtime: the role may act as proofline_owner'],
    ] as const)('finds it when the %s %s', async (who, _what, statements, kind, fault) => {
      await as(who, async (tx) => {
        for (const text of statements) await tx.query({ text })
        const { audit, fence } = await found(tx)
        if (kind !== undefined) expect(audit).toContain(kind)
        if (fault !== undefined) expect(fence).toContain(fault)
        expect(kind ?? fault).toBeDefined()
      })
    }) // oxfmt-ignore

    it.each([
      ['a rule', 'create rule nothing as on insert to submissions do instead nothing', 'submissions: rule nothing'],
      [
        'a trigger',
        'create function proofline.swallow() returns trigger language plpgsql as $$ begin return null; end $$; create trigger swallow before insert on proofline.submissions for each row execute function proofline.swallow()',
        'submissions: trigger swallow stands beside those that refuse',
      ],
    ])('records nothing where %s swallows what is inserted', async (_what, statement, fault) => {
      const drop = ['drop rule if exists nothing on submissions', 'drop trigger if exists swallow on submissions', 'drop function if exists proofline.swallow()'] // oxfmt-ignore
      try {
        await test.owner.query({ text: `set role proofline_owner; ${statement}; reset role` })
        expect((await findWriteOnceFaults(test.db)).map(({ subject, what }) => `${subject}: ${what}`)).toContain(fault)
        await expect(node.book.appender.submit([aSubmission(`run:${fault}`)])).rejects.toMatchObject({
          code: 'internal',
        })
      } finally {
        for (const text of drop) await test.owner.query({ text })
      }
      expect(await findWriteOnceFaults(test.db)).toEqual([])
      expect((await node.book.appender.submit([aSubmission(`run:${fault}`)]))[0]?.repeated).toBe(false)
    })
  })
}
