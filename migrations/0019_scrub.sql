-- How far the scrubber is, which reads everything that is stored again and again, and what it found. Derived: without it the next pass begins
-- at the first record. Runs as proofline_owner with search_path = proofline, proofline_derived. Locks nothing that exists.

-- position: size up to which this pass has come, always that of a head. passed_at: when the last whole pass ended, passed_to: the size that
-- it came to. found: what differs first, as the audit tells it; found_pass: the pass that saw it last. A whole pass without it clears it.
create table proofline_derived.scrubs (
  ledger text collate "C" not null,
  position bigint not null default 0,
  pass integer not null default 1,
  started_at bigint not null,
  passed_at bigint,
  passed_to bigint,
  found jsonb,
  found_pass integer,
  found_at bigint,
  primary key (ledger)
);
grant select, insert, update, delete on proofline_derived.scrubs to proofline_runtime;
