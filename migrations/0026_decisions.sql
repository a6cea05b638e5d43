-- The history also knows runs that were declared and refusals, since a report names what it leaves out; and what stands in `changes` is found by
-- repository, commit, build and name. All derived: the history of every ledger is emptied here and made again by its follower. Runs as
-- proofline_owner with search_path = proofline, proofline_derived. Locks the tables of the history for a moment.

truncate proofline_derived.history_repositories, proofline_derived.history_paths, proofline_derived.history_layouts, proofline_derived.history_runs,
  proofline_derived.history_commits, proofline_derived.history_changes, proofline_derived.history_inventories, proofline_derived.history_blobs,
  proofline_derived.history_maps;
update proofline_derived.history_positions set generation = generation + 1, next = 0;

-- One row for each declared run, by the seq of its `run` record: those that have no row in history_runs have not ended.
create table proofline_derived.history_declared (
  ledger text collate "C" not null,
  repository_id integer not null,
  seq bigint not null,
  run text collate "C" not null,
  suite text collate "C" not null,
  ref text collate "C" not null,
  commit bytea not null,
  recorded_at bigint not null,
  primary key (ledger, repository_id, seq)
);

-- What was refused; commit and run as far as they were told.
create table proofline_derived.history_rejections (
  ledger text collate "C" not null,
  repository_id integer not null,
  seq bigint not null,
  recorded_at bigint not null,
  run text collate "C",
  commit text collate "C",
  reason text collate "C" not null,
  primary key (ledger, repository_id, seq)
);

-- Records of `changes`. name: what a record of its kind is looked up by (history/decisions.ts). fields: the record, as JSON text.
create table proofline_derived.decisions (
  ledger text collate "C" not null,
  seq bigint not null,
  kind text collate "C" not null,
  repository text collate "C" not null,
  name text collate "C" not null,
  commit text collate "C",
  build text collate "C",
  environment text collate "C",
  recorded_at bigint not null,
  id text collate "C" not null,
  fields text not null,
  primary key (ledger, seq)
);
create index decisions_by_name on proofline_derived.decisions (ledger, repository, kind, name, seq);
create index decisions_by_kind on proofline_derived.decisions (ledger, kind, seq);
create index decisions_by_commit on proofline_derived.decisions (ledger, repository, commit, seq) where commit is not null;
create index decisions_by_build on proofline_derived.decisions (ledger, repository, build, seq) where build is not null;

grant select, insert, delete on proofline_derived.history_declared, proofline_derived.history_rejections, proofline_derived.decisions to proofline_runtime;
