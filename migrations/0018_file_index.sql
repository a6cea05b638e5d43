-- Which files the runs of a repository measured, and where the state of one changed. Derived: dropped and filled anew from the ledgers by
-- emptying all of it. Runs as proofline_owner with search_path = proofline, proofline_derived. Locks nothing that exists.

-- The names behind the coverage records of a part, in order: one for all parts that measure the same files. Zstandard over lines.
create table proofline_derived.file_layouts (
  ledger text collate "C" not null,
  layout bytea not null check (length(layout) = 16),
  names bytea not null,
  primary key (ledger, layout)
);

-- One row a part. What differs from the part before it in its chain (repository, suite, part name) stands in `changed`: ordinals from 1, as
-- sorted ranges. So a state that did not change takes no room, and one that did is found without a look into any record.
create table proofline_derived.file_parts (
  ledger text collate "C" not null,
  repository text collate "C" not null,
  seq bigint not null,
  run text collate "C" not null,
  chain bytea not null check (length(chain) = 16),
  base bigint,
  layout bytea not null,
  changed text not null,
  ranges text not null,
  primary key (ledger, repository, seq)
);
create index file_parts_chain on proofline_derived.file_parts (ledger, chain, seq);

-- One row a run that ended.
create table proofline_derived.file_runs (
  ledger text collate "C" not null,
  repository text collate "C" not null,
  seq bigint not null,
  run text collate "C" not null,
  suite text collate "C" not null,
  ref text collate "C" not null,
  commit text collate "C" not null,
  counted boolean not null,
  primary key (ledger, repository, seq)
);

-- Line maps by the paths that they lead from and to.
create table proofline_derived.file_maps (
  ledger text collate "C" not null,
  repository text collate "C" not null,
  path text collate "C" not null,
  seq bigint not null,
  primary key (ledger, repository, path, seq)
);

-- The next seq to look at.
create table proofline_derived.file_positions (
  ledger text collate "C" primary key,
  next bigint not null
);

grant select, insert, delete on proofline_derived.file_layouts, proofline_derived.file_parts, proofline_derived.file_runs,
  proofline_derived.file_maps to proofline_runtime;
grant select, insert, update, delete on proofline_derived.file_positions to proofline_runtime;
