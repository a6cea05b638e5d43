-- Sums of bytes taken in, for quotas (derived: may be emptied, then quotas count from there), and the pauses of destinations.
-- Runs as proofline_owner with search_path = proofline, proofline_derived. Locks nothing that exists.

-- One row a repository and UTC day, and one (day '-infinity') for all days together.
create table proofline_derived.intake_sums (
  org text collate "C" not null,
  repository text collate "C" not null,
  day date not null,
  bytes bigint not null,
  primary key (org, repository, day)
);
create index intake_sums_total on proofline_derived.intake_sums (org) include (bytes) where day = '-infinity';

grant select, insert, update on proofline_derived.intake_sums to proofline_runtime;

-- An operator's word: `paused` holds a lane until the next row says otherwise. Beside standings, which are what circumstances did.
create table pauses (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null,
  at bigint not null,
  paused boolean not null,
  reason text not null,
  by_whom text not null,
  primary key (ledger, destination, n)
);
select make_write_once('pauses');
grant select on pauses to proofline_runtime;
grant insert (ledger, destination, n, at, paused, reason, by_whom) on pauses to proofline_runtime;
