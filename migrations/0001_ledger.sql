-- The ledger: heads, checkpoints, submissions, segments, tile roots, seals; all insert-only.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- Write-once. Grants are the first fence (proofline_runtime may INSERT and SELECT), this trigger is the second, for everybody else;
-- what a superuser does all the same shows in the signed log. The function touches no table, so it is safe on a distributed PostgreSQL.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'proofline: % on % is refused, evidence is write-once', tg_op, tg_table_name using errcode = 'PL001';
end $$;

-- Row triggers on a partitioned table are cloned to every partition, also later ones; TRUNCATE triggers are not, so each partition
-- gets its own (ensure_partitions calls this for it). ENABLE ALWAYS also fires under session_replication_role = replica.
create function make_write_once(target text) returns void language plpgsql as $$
declare
  is_partition boolean := (select relispartition from pg_class where oid = target::regclass);
begin
  if not is_partition then
    execute format('create trigger write_once_row before update or delete on %s for each row execute function proofline.refuse_change()', target::regclass);
    execute format('alter table %s enable always trigger write_once_row', target::regclass);
  end if;
  execute format('create trigger write_once_truncate before truncate on %s for each statement execute function proofline.refuse_change()', target::regclass);
  execute format('alter table %s enable always trigger write_once_truncate', target::regclass);
end $$;

-- One row per append. The primary key is the fence: a head has one successor. Genesis is base -1, size 0.
-- edge: hashes of the perfect subtrees of the tree of this size, largest first; everything an append needs to go on.
create table heads (
  ledger text collate "C" not null,
  base bigint not null,
  size bigint not null,
  root bytea not null check (length(root) = 32),
  edge bytea not null check (length(edge) % 32 = 0),
  first_time bigint not null,
  last_time bigint not null,
  month date not null,
  primary key (ledger, base),
  unique (ledger, size),
  check (size > base)
);

create index heads_time on heads (ledger, last_time);

create table checkpoints (
  ledger text collate "C" not null,
  size bigint not null,
  note text not null,
  primary key (ledger, size)
);

-- Committed cleanly before a head is signed whose commit this process did not itself receive: on a synchronous standby set, what is
-- visible may not be replicated yet, but it is once a later commit came back clean.
create table barriers (
  ledger text collate "C" not null,
  node text collate "C" not null,
  n bigint not null,
  primary key (ledger, node, n)
);

-- Everything recorded has a key; the digest is over what the client asserts, never over the payload.
create table submissions (
  ledger text collate "C" not null,
  key text collate "C" not null,
  digest bytea not null check (length(digest) = 32),
  first_seq bigint not null,
  last_seq bigint not null,
  first_time bigint not null,
  primary key (ledger, key),
  check (last_seq >= first_seq)
);

-- Up to 1,024 consecutive payloads of one submission and one kind, compressed; leaf hashes (32 bytes a record) and the first 8 bytes
-- of each payload's SHA-256 (the id's hash) beside them. Record i has recorded_at = first_time + i.
-- One level of partitions, because a distributed PostgreSQL refuses two; unit and integration lie in separate physical tables.
create table segments (
  ledger text collate "C" not null,
  test_type text collate "C" not null,
  month date not null,
  first_seq bigint not null,
  count integer not null check (count between 1 and 1024),
  first_time bigint not null,
  kind text collate "C" not null,
  chain bigint,
  chain_index integer,
  dictionary_seq bigint,
  depth smallint not null default 0 check (depth between 0 and 6),
  raw_bytes integer not null,
  payloads bytea not null,
  leaf_hashes bytea not null,
  id_hashes bytea not null,
  primary key (ledger, first_seq, test_type, month),
  check (length(leaf_hashes) = 32 * count),
  check (length(id_hashes) = 8 * count)
) partition by range (test_type, month);
alter table segments alter column payloads set storage external;
alter table segments alter column leaf_hashes set storage external;
alter table segments alter column id_hashes set storage external;
create index segments_chain on segments (ledger, chain, chain_index) where chain is not null;

-- Entry `index` of the tile row at `level` (1 and up): the root of full tile `index` of the level below. Tiles of level 1 and up are cut
-- from here, those of level 0 from the segments' leaf hashes.
create table tile_roots (
  ledger text collate "C" not null,
  level smallint not null check (level between 1 and 8),
  index bigint not null,
  root bytea not null check (length(root) = 32),
  primary key (ledger, level, index)
);

-- What admission reads about earlier runs of a suite.
create table seals (
  ledger text collate "C" not null,
  repository text collate "C" not null,
  suite text collate "C" not null,
  ref text collate "C" not null,
  seq bigint not null,
  admitted boolean not null,
  measure_digest bytea not null,
  primary key (ledger, repository, suite, ref, seq)
);

select make_write_once('heads'), make_write_once('checkpoints'), make_write_once('barriers'), make_write_once('submissions'),
       make_write_once('segments'), make_write_once('tile_roots'), make_write_once('seals');

-- Makes the partitions for `months` months from the month of `start` on; those that exist stay. SECURITY DEFINER: the runtime role owns
-- nothing. Made apart and attached, which locks the parent against nothing but other DDL.
create function ensure_partitions(start date, months integer) returns integer
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  type text;
  first date;
  name text;
  made integer := 0;
begin
  if months not between 1 and 36 then raise exception 'months must be 1 to 36'; end if;
  perform pg_advisory_xact_lock(hashtextextended('proofline.ensure_partitions', 0));
  foreach type in array array['unit', 'integration', 'other'] loop
    for i in 0 .. months - 1 loop
      first := (date_trunc('month', start) + make_interval(months => i))::date;
      name := format('segments_%s_%s', type, to_char(first, 'YYYY_MM'));
      if to_regclass('proofline.' || name) is null then
        execute format('create table %I (like segments including all)', name);
        execute format('alter table segments attach partition %I for values from (%L, %L) to (%L, %L)',
          name, type, first, type, (first + interval '1 month')::date);
        perform make_write_once('proofline.' || name);
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;
revoke all on function ensure_partitions(date, integer) from public;

-- How many months from the month of `start` on have all their partitions, without a hole.
create function partitions_ahead(start date) returns integer language sql stable set search_path = proofline, pg_temp as $$
  select count(*)::integer from (
    select bool_and(to_regclass(format('proofline.segments_%s_%s', type, to_char(start + make_interval(months => i), 'YYYY_MM'))) is not null)
             over (order by i) as unbroken, type
    from generate_series(0, 36) as i, (values ('unit'), ('integration'), ('other')) as types(type)
  ) as months where unbroken and type = 'unit'
$$;

-- Database time in microseconds.
create function clock_micros() returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;

-- The append, one autocommit statement: head, submissions, segments, tile roots, seals. Byte strings of all segments arrive joined, since
-- one binary parameter is cheaper than an array of them. Returns the database clock, or null when `base` has a successor already (the
-- fence is lost; nothing is written). Raises PL002 when the clocks disagree, PL003 when a broken rule or a swallowed insert shows.
create function append(
  p_ledger text, p_base bigint, p_size bigint, p_root bytea, p_edge bytea, p_first bigint, p_last bigint, p_month date, p_test_type text,
  p_keys text[], p_digests bytea, p_key_firsts bigint[], p_key_lasts bigint[], p_key_times bigint[],
  p_firsts bigint[], p_counts integer[], p_times bigint[], p_kinds text[], p_chains bigint[], p_chain_indexes integer[],
  p_dictionaries bigint[], p_depths smallint[], p_raw integer[], p_lengths integer[], p_payloads bytea, p_leaves bytea, p_ids bytea,
  p_tile_levels smallint[], p_tile_indexes bigint[], p_tile_roots bytea,
  p_seals jsonb
) returns bigint language plpgsql set search_path = proofline, pg_temp as $$
declare
  clock bigint := clock_micros();
  previous record;
  written integer;
begin
  if p_base >= 0 then
    select last_time into previous from heads where ledger = p_ledger and size = p_base;
    if not found then raise exception 'no head of size %', p_base using errcode = 'PL003'; end if;
    if p_first <= previous.last_time then raise exception 'time does not increase' using errcode = 'PL003'; end if;
    if p_last > clock + 2000000 or p_first < clock - 30000000 then
      raise exception 'times % to % do not agree with the database clock %', p_first, p_last, clock using errcode = 'PL002';
    end if;
  end if;
  insert into heads values (p_ledger, p_base, p_size, p_root, p_edge, p_first, p_last, p_month) on conflict do nothing;
  get diagnostics written = row_count;
  if written <> 1 then return null; end if;
  if p_base < 0 then return clock; end if;

  with rows as (
    insert into submissions (ledger, key, digest, first_seq, last_seq, first_time)
    select p_ledger, k, substring(p_digests from 32 * (i::integer - 1) + 1 for 32), f, l, t
    from unnest(p_keys, p_key_firsts, p_key_lasts, p_key_times) with ordinality as u(k, f, l, t, i) returning 1)
  select count(*) into written from rows;
  if written <> cardinality(p_keys) then raise exception 'submissions were swallowed' using errcode = 'PL003'; end if;

  with parts as (
    select *, coalesce(sum(len) over w - len, 0) as at, coalesce(sum(n) over w - n, 0) as before
    from unnest(p_firsts, p_counts, p_times, p_kinds, p_chains, p_chain_indexes, p_dictionaries, p_depths, p_raw, p_lengths)
      with ordinality as u(f, n, t, kind, chain, chain_index, dictionary, depth, raw, len, i)
    window w as (order by i)
  ), rows as (
    insert into segments (ledger, test_type, month, first_seq, count, first_time, kind, chain, chain_index, dictionary_seq, depth, raw_bytes,
                          payloads, leaf_hashes, id_hashes)
    select p_ledger, p_test_type, p_month, f, n, t, kind, chain, chain_index, dictionary, depth, raw,
           substring(p_payloads from at::integer + 1 for len), substring(p_leaves from 32 * before::integer + 1 for 32 * n),
           substring(p_ids from 8 * before::integer + 1 for 8 * n)
    from parts returning 1)
  select count(*) into written from rows;
  if written <> cardinality(p_firsts) then raise exception 'segments were swallowed' using errcode = 'PL003'; end if;

  with rows as (
    insert into tile_roots (ledger, level, index, root)
    select p_ledger, l, n, substring(p_tile_roots from 32 * (i::integer - 1) + 1 for 32)
    from unnest(p_tile_levels, p_tile_indexes) with ordinality as u(l, n, i) returning 1)
  select count(*) into written from rows;
  if written <> cardinality(p_tile_levels) then raise exception 'tile roots were swallowed' using errcode = 'PL003'; end if;

  if p_seals is not null then
    insert into seals (ledger, repository, suite, ref, seq, admitted, measure_digest)
    select p_ledger, s->>'repository', s->>'suite', s->>'ref', (s->>'seq')::bigint, (s->>'admitted')::boolean, decode(s->>'measure_digest', 'hex')
    from jsonb_array_elements(p_seals) as s;
    get diagnostics written = row_count;
    if written <> jsonb_array_length(p_seals) then raise exception 'seals were swallowed' using errcode = 'PL003'; end if;
  end if;
  return clock;
end $$;

-- Checkpoints are published in order of size, one at a time per ledger, so that "the smallest checkpoint that covers a record" never
-- changes once there is one: every receipt names it. A smaller one that comes late (another node was faster) is not stored. Returns the
-- largest size published before; -1 for none.
create function publish_checkpoint(p_ledger text, p_size bigint, p_note text) returns bigint
  language plpgsql set search_path = proofline, pg_temp as $$
declare
  before bigint;
  written integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('proofline.publish.' || p_ledger, 0));
  select coalesce(max(size), -1) into before from checkpoints where ledger = p_ledger;
  if before < p_size then
    insert into checkpoints (ledger, size, note) values (p_ledger, p_size, p_note);
    get diagnostics written = row_count;
    if written <> 1 then raise exception 'the checkpoint was swallowed' using errcode = 'PL003'; end if;
  end if;
  return before;
end $$;

grant usage on schema proofline to proofline_runtime;
grant select on heads, checkpoints, barriers, submissions, segments, tile_roots, seals to proofline_runtime;
grant insert (ledger, base, size, root, edge, first_time, last_time, month) on heads to proofline_runtime;
grant insert (ledger, size, note) on checkpoints to proofline_runtime;
grant insert (ledger, node, n) on barriers to proofline_runtime;
grant insert (ledger, key, digest, first_seq, last_seq, first_time) on submissions to proofline_runtime;
grant insert (ledger, test_type, month, first_seq, count, first_time, kind, chain, chain_index, dictionary_seq, depth, raw_bytes, payloads, leaf_hashes, id_hashes)
  on segments to proofline_runtime;
grant insert (ledger, level, index, root) on tile_roots to proofline_runtime;
grant insert (ledger, repository, suite, ref, seq, admitted, measure_digest) on seals to proofline_runtime;
grant execute on function ensure_partitions(date, integer) to proofline_runtime;
