-- Two roles apart from the service's own. proofline_reader reads evidence and what is derived from it, and no credential: for auditors with
-- SQL. proofline_retention may let months leave the tables and days leave the archive, and nothing else. The migrator makes both where it
-- may manage roles, and makes proofline_runtime a member of proofline_retention then, once: `revoke proofline_retention from
-- proofline_runtime` takes these acts from the service for good (`database.retention_url` names who has them). Where there is no such role
-- the service keeps the right.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.
do $$
declare
  one text;
begin
  if exists (select from pg_roles where rolname = 'proofline_retention') then
    grant usage on schema proofline to proofline_retention;
    revoke execute on function detach_month(text, date), expire_day(text, date) from proofline_runtime;
    grant execute on function detach_month(text, date), expire_day(text, date) to proofline_retention;
  end if;
  if exists (select from pg_roles where rolname = 'proofline_reader') then
    grant usage on schema proofline, proofline_derived to proofline_reader;
    -- Evidence has a ledger; tables of credentials and secrets have none.
    for one in
      select format('%I.%I', n.nspname, c.relname) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname in ('proofline', 'proofline_derived') and c.relkind in ('r', 'p') and not c.relispartition
        and exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'ledger' and not a.attisdropped)
    loop
      execute format('grant select on %s to proofline_reader', one);
    end loop;
    grant select on active_holds to proofline_reader;
  end if;
end $$;
