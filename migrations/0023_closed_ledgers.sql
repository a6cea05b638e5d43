-- Ledgers that were closed with a loss (proofline recover --accept-loss): part of what was signed is nowhere, and nobody can sign on behind
-- it. What follows is recorded in the next generation, a ledger of its own, which begins with a `loss` record of the same content.
-- Only the owner may insert: a service closes nothing. A row is the whole of the act: from then on every start records in `next`.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- size, root: the newest checkpoint that the database has, where the ledger ends for its readers. unsigned: records behind it that are in the
-- tables and covered by no checkpoint here. signed_size, signed_root: the last head that the key signed, as far as somebody knows it.
-- notes: [{"from", "size", "note"}] signed notes of what is lost, whole: the evidence that it was.
create table closed_ledgers (
  ledger text collate "C" not null,
  next text collate "C" not null,
  size bigint not null check (size >= 0),
  root bytea not null check (length(root) = 32),
  unsigned bigint not null check (unsigned >= 0),
  signed_size bigint not null,
  signed_root bytea not null check (length(signed_root) = 32),
  notes jsonb not null,
  reason text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger),
  check (signed_size > size)
);
select make_write_once('closed_ledgers');
grant select on closed_ledgers to proofline_runtime;
