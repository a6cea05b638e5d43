-- What a worker finds wrong with what it does, for the alerts: they are looked for in one process, the worker may run in another. Derived: the
-- worker's next round writes it again. Runs as proofline_owner with search_path = proofline, proofline_derived. Locks nothing that exists.

-- ledger: operations of the org. part: of the service, as `publishing`. The rows of a part are what is wrong with it now.
create table proofline_derived.troubles (
  ledger text collate "C" not null,
  part text collate "C" not null,
  subject text collate "C" not null,
  code text not null,
  detail text not null,
  primary key (ledger, part, subject)
);
grant select, insert, update, delete on proofline_derived.troubles to proofline_runtime;
