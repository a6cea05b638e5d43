-- What was commanded on this database by its operator without the service: tokens, keys of producers, sessions. The row is stored in the
-- transaction of what it did, so neither is there without the other, in every state of the ledger; the service puts each on record in
-- `operations` exactly once, under the key `command:<id>`. fields: the members of that record, as JSON in their order.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- ledger: `operations` of the org, by its first generation.
create table local_commands (
  ledger text collate "C" not null,
  id text collate "C" not null check (id ~ '^[0-9a-f-]{36}$'),
  command text not null,
  fields text not null check (length(fields) <= 4096),
  by_whom text not null,
  at bigint not null,
  primary key (ledger, id)
);

select make_write_once('local_commands');

grant select on local_commands to proofline_runtime;
grant insert (ledger, id, command, fields, by_whom, at) on local_commands to proofline_runtime;

do $$
begin
  if exists (select from pg_roles where rolname = 'proofline_reader') then
    grant select on local_commands to proofline_reader;
  end if;
end $$;
