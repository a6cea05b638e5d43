-- What was measured, run by run, so that the history of a line or a file is read without reading the runs. Derived from the ledgers `unit` and
-- `integration`: dropped and filled again by `proofline rebuild` to the same content. Rows are only inserted; each names the seq of the record
-- that it comes from, so what was known as of a size is what stands below it. Runs as proofline_owner with search_path = proofline,
-- proofline_derived. Locks nothing that exists.

-- Where the projection of a ledger goes on; moved in the transaction of the rows. generation: how often it was rebuilt.
create table proofline_derived.history_positions (
  ledger text collate "C" primary key,
  generation integer not null,
  next bigint not null
);

-- Numbers for names that would else stand in every row and every index; given in the order of the ledger. path: as JSON, since a path may
-- hold what a text of PostgreSQL cannot.
create table proofline_derived.history_repositories (
  ledger text collate "C" not null,
  repository_id integer not null,
  repository text collate "C" not null,
  primary key (ledger, repository_id),
  unique (ledger, repository)
);
create table proofline_derived.history_paths (
  ledger text collate "C" not null,
  repository_id integer not null,
  path_id integer not null,
  path text collate "C" not null,
  primary key (ledger, repository_id, path_id),
  unique (ledger, repository_id, path)
);

-- Which path the records of a part are about, one after the other: most reports of a suite name the same files in the same order.
create table proofline_derived.history_layouts (
  ledger text collate "C" not null,
  repository_id integer not null,
  layout_id integer not null,
  digest bytea not null,
  paths bytea not null,
  primary key (ledger, repository_id, layout_id)
);

-- One row for each run that ended. base: the earlier run that a counting one is stored as a difference to; -1 for none. parts: JSON, for each
-- part that counts its layout, definition and the ranges of its records; null for a run that does not count. reasons: why not.
create table proofline_derived.history_runs (
  ledger text collate "C" not null,
  repository_id integer not null,
  seq bigint not null,
  run text collate "C" not null,
  suite text collate "C" not null,
  ref text collate "C" not null,
  commit bytea not null,
  recorded_at bigint not null,
  reasons text not null,
  production bytea,
  base bigint not null,
  parts text,
  primary key (ledger, repository_id, seq)
);

-- What a run told of its commit that was not known yet. parents: first-parent ancestors, nearest first, 20 or 32 bytes each, up to the last
-- one that is new.
create table proofline_derived.history_commits (
  ledger text collate "C" not null,
  repository_id integer not null,
  seq bigint not null,
  commit bytea not null,
  committed_at text,
  parents bytea not null,
  primary key (ledger, repository_id, seq)
);

-- Where the state of a file differs from the run's base. state: lines in runs of one state (history/states.ts); null: the run has no record of it.
create table proofline_derived.history_changes (
  ledger text collate "C" not null,
  repository_id integer not null,
  path_id integer not null,
  definition text collate "C" not null,
  seq bigint not null,
  blob bytea,
  state bytea,
  primary key (ledger, repository_id, path_id, definition, seq)
);

-- Inventories of commits, stored likewise as differences. blob null: the file is not in the commit.
create table proofline_derived.history_inventories (
  ledger text collate "C" not null,
  repository_id integer not null,
  seq bigint not null,
  commit bytea not null,
  base bigint not null,
  primary key (ledger, repository_id, seq)
);
create table proofline_derived.history_blobs (
  ledger text collate "C" not null,
  repository_id integer not null,
  path_id integer not null,
  seq bigint not null,
  blob bytea,
  primary key (ledger, repository_id, path_id, seq)
);

-- Line maps, under the path that they lead to.
create table proofline_derived.history_maps (
  ledger text collate "C" not null,
  repository_id integer not null,
  path_id integer not null,
  seq bigint not null,
  from_path_id integer not null,
  from_blob bytea not null,
  blob bytea not null,
  hunks text not null,
  primary key (ledger, repository_id, path_id, seq)
);
create index history_maps_from on proofline_derived.history_maps (ledger, repository_id, from_path_id) where from_path_id <> path_id;

grant select, insert, delete on proofline_derived.history_repositories, proofline_derived.history_paths, proofline_derived.history_layouts,
  proofline_derived.history_runs, proofline_derived.history_commits, proofline_derived.history_changes, proofline_derived.history_inventories,
  proofline_derived.history_blobs, proofline_derived.history_maps to proofline_runtime;
grant select, insert, update on proofline_derived.history_positions to proofline_runtime;
