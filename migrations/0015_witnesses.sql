-- Cosignatures of witnesses and time-stamps of authorities over checkpoints: evidence that others saw the log. And how each witness stands.
-- Runs as proofline_owner with search_path = proofline, proofline_derived. Locks nothing that exists.

-- A signature line as it stands in the note, verified before it was inserted. The same witness may cosign the same size again later, which
-- says that the log still stood so then. `witness` is the name and id of its key.
create table cosignatures (
  ledger text collate "C" not null,
  size bigint not null check (size >= 0),
  witness text collate "C" not null,
  time bigint not null check (time > 0),
  line text not null,
  primary key (ledger, size, witness, time)
);

-- What a witness showed that contradicts us: our note and its own (empty where it gave none), verbatim.
create table witness_conflicts (
  ledger text collate "C" not null,
  witness text collate "C" not null,
  found_at bigint not null,
  detail text not null,
  ours text not null,
  theirs text not null,
  primary key (ledger, witness, found_at)
);

-- RFC 3161 tokens over SHA-256 of the note of the checkpoint of this size, as the log signed it. Verified before it was inserted. `time` is
-- the authority's, in microseconds.
create table timestamps (
  ledger text collate "C" not null,
  size bigint not null check (size >= 0),
  authority text collate "C" not null,
  time bigint not null check (time > 0),
  token bytea not null,
  primary key (ledger, size, authority, time)
);
select make_write_once('cosignatures'), make_write_once('witness_conflicts'), make_write_once('timestamps');
grant select on cosignatures, witness_conflicts, timestamps to proofline_runtime;
grant insert (ledger, size, witness, time, line) on cosignatures to proofline_runtime;
grant insert (ledger, witness, found_at, detail, ours, theirs) on witness_conflicts to proofline_runtime;
grant insert (ledger, size, authority, time, token) on timestamps to proofline_runtime;

-- Who was asked last and what came of it; derived: written again at each asking. `kind` is witness or authority, `failing_since` null while
-- all is well.
create table proofline_derived.vouching (
  ledger text collate "C" not null,
  kind text collate "C" not null check (kind in ('witness', 'authority')),
  name text collate "C" not null,
  asked_at bigint not null,
  failing_since bigint,
  detail text not null,
  primary key (ledger, kind, name)
);
grant select, insert, update, delete on proofline_derived.vouching to proofline_runtime;
