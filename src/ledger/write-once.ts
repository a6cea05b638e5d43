import type { Queryable } from '../database/database.ts'

/**
 * Whether the fence around the evidence stands as the migrations built it: on every table of schema proofline and every partition both
 * triggers, firing always, with the function that refuses; nothing beside them that could swallow a row; the owner's name on it, and no right
 * for anybody but to read, and for the service to insert. Whoever may change these can change evidence; the log shows that afterwards, this
 * shows it before. (`migrations`, which the migrator keeps, is no evidence.)
 */
export interface WriteOnceFault {
  /** The table or partition. */
  subject: string
  what: string
}

// Bits of pg_trigger.tgtype: 1 row, 2 before, 8 delete, 16 update, 32 truncate.
const faults = `
  with evidence as (
    select c.oid, c.relname::text as name, c.relowner, c.relacl, c.relkind, c.relpersistence, c.relrowsecurity, c.relnamespace
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'proofline' and c.relkind in ('r', 'p') and c.relname <> 'migrations'
  ), wanted(trigger, type) as (values ('write_once_row', 27), ('write_once_truncate', 34))
  select name as subject, 'trigger ' || trigger || ' does not fire always' as what from evidence cross join wanted
    where not exists (
      select from pg_trigger as t where t.tgrelid = evidence.oid and t.tgname = wanted.trigger and t.tgtype = wanted.type and t.tgenabled = 'A'
        and t.tgqual is null and t.tgfoid = to_regproc('proofline.refuse_change'))
  union all
  select name, 'trigger ' || tgname || ' stands beside those that refuse' from evidence join pg_trigger as t on t.tgrelid = evidence.oid
    where not tgisinternal and tgname not in (select trigger from wanted)
  union all
  select name, 'rule ' || rulename from evidence join pg_rewrite as r on r.ev_class = evidence.oid
  union all
  select name, 'it belongs to ' || relowner::regrole::text from evidence where relowner <> 'proofline_owner'::regrole
  union all
  select name, 'it is not kept through a crash' from evidence where relpersistence <> 'p'
  union all
  select name, 'row security hides rows of it' from evidence where relrowsecurity
  union all
  select name, coalesce(nullif(grantee, 0)::regrole::text, 'everybody') || ' may ' || lower(privilege_type) || ' all of it' from evidence, aclexplode(relacl)
    where grantee <> relowner and privilege_type <> 'SELECT'
  union all
  select name, coalesce(nullif(grantee, 0)::regrole::text, 'everybody') || ' may ' || lower(privilege_type) || ' ' || attname
    from evidence join pg_attribute as a on a.attrelid = evidence.oid, aclexplode(a.attacl)
    where grantee <> relowner and privilege_type <> 'SELECT' and not (privilege_type = 'INSERT' and grantee = 'proofline_runtime'::regrole)
  union all
  select 'refuse_change', 'it is another function than the one that refuses' where not exists (
    select from pg_proc where oid = to_regproc('proofline.refuse_change') and proowner = 'proofline_owner'::regrole and proconfig is null
      and not prosecdef and md5(prosrc) = $1)
  union all
  select rolname::text, 'the role is a superuser, or may log in' from pg_roles
    where rolname in ('proofline_owner', 'proofline_runtime') and (rolsuper or rolcanlogin or rolbypassrls or rolreplication or rolcreaterole)
  union all
  select 'proofline_runtime', 'the role may act as proofline_owner' where pg_has_role('proofline_runtime', 'proofline_owner', 'MEMBER')
  order by 1, 2`

/** MD5 of the function's text, as PostgreSQL computes it; a test reads it out of the migration. No digest to rely on, an expectation to compare with. */
export const refuseChangeMd5 = '95900bec5b8eec776d2c143e22929297'

/** Empty when all is as it should be. Asked as the service's own role; the catalogues are open to it. */
export async function findWriteOnceFaults(db: Queryable): Promise<WriteOnceFault[]> {
  const { rows } = await db.query<WriteOnceFault & { subject: string }>({
    name: 'find_write_once_faults',
    text: faults,
    values: [refuseChangeMd5],
    timeoutMs: 60_000,
  })
  return rows
}
