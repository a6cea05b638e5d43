-- Drills of destinations, and what the nodes that are alive run. Runs as proofline_owner with search_path = proofline, proofline_derived.
-- Locks nothing that exists.

-- A lane (a destination's ledger) is held while its drill has no step yet and hold_until has not passed, by the database's clock: that is
-- all there is to the hold. So it ends with the row of the first step, and by itself when every process that could write one is gone.
create table drills (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null check (n >= 1),
  started_at bigint not null,
  measure_at bigint not null,
  hold_until bigint not null,
  reason text not null,
  by_whom text not null,
  primary key (ledger, destination, n),
  check (started_at < measure_at and measure_at < hold_until)
);

-- What became of it: measured while it was held, ended with a verdict. One that was never measured has the second only.
create table drill_steps (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null,
  step text collate "C" not null check (step in ('measured', 'ended')),
  at bigint not null,
  verdict text check (verdict in ('held', 'not_held', 'inconclusive') and (verdict is null) = (step = 'measured')),
  result jsonb not null,
  primary key (ledger, destination, n, step)
);
select make_write_once('drills'), make_write_once('drill_steps');
grant select on drills, drill_steps to proofline_runtime;
grant insert (ledger, destination, n, started_at, measure_at, hold_until, reason, by_whom) on drills to proofline_runtime;
grant insert (ledger, destination, n, step, at, verdict, result) on drill_steps to proofline_runtime;

-- Nodes as they were last seen; derived: a node writes its row again every window.
create table proofline_derived.nodes (
  ledger text collate "C" not null,
  node text collate "C" not null,
  host text not null,
  version text not null,
  configuration text not null,
  seen_at bigint not null,
  primary key (ledger, node)
);
grant select, insert, update, delete on proofline_derived.nodes to proofline_runtime;
