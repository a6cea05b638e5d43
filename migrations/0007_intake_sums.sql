-- How many bytes of artifacts were taken in, for quotas. Derived: may be emptied, then quotas count from there.
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
