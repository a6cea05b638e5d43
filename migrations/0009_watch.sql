-- What SIEMs are compared with, and what the comparisons found. Runs as proofline_owner with search_path = proofline, proofline_derived.
-- Locks nothing that exists.

-- Count and sum of `check` (first 32 bits of SHA-256 of the record bytes) over the records of a closed block of 65,536. selection: the
-- kinds and repositories that count, as delivery prints them; empty for all. Derived from the ledger: may be emptied at any time.
create table proofline_derived.block_sums (
  ledger text collate "C" not null,
  selection text collate "C" not null,
  block bigint not null,
  records bigint not null,
  check_sum bigint not null,
  primary key (ledger, selection, block)
);

-- What the last comparison of a lane found, for whoever asks; the `reconciliation` records are the evidence.
create table proofline_derived.comparisons (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  at bigint not null,
  result jsonb not null,
  primary key (ledger, destination)
);
grant select, insert, update, delete on proofline_derived.block_sums, proofline_derived.comparisons to proofline_runtime;

-- Where a destination and the ledger differ, one row when it is found (n odd) and one when it is over (n even): the newest tells how it
-- stands. seq: -1 for an id that is none of ours. state: `found`; `gone`, seen by a later comparison; `discarded`, disposed of by a person.
create table differences (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  kind text not null check (kind in ('missing', 'duplicated', 'altered', 'foreign')),
  id text collate "C" not null,
  n integer not null check (n >= 1),
  seq bigint not null,
  state text not null check (state in ('found', 'gone', 'discarded') and (state = 'found') = (n % 2 = 1)),
  detail text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, destination, kind, id, n)
);

-- Alerts, one row for each thing that happens to one; the newest tells how it stands. The `alert` record of the ledger `operations` is the
-- evidence; this is what is asked.
create table alerts (
  ledger text collate "C" not null,
  alert text collate "C" not null,
  n integer not null check (n >= 1),
  code text not null,
  subject text not null,
  state text not null check (state in ('opened', 'acknowledged', 'closed')),
  detail text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, alert, n)
);

select make_write_once('differences'), make_write_once('alerts');
grant select on differences, alerts to proofline_runtime;
grant insert (ledger, destination, kind, id, n, seq, state, detail, by_whom, at) on differences to proofline_runtime;
grant insert (ledger, alert, n, code, subject, state, detail, by_whom, at) on alerts to proofline_runtime;
