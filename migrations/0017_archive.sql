-- Archive, retention and holds. Closed days lie in the archive (cold_days), a month whose days all do can leave the tables (detach_month),
-- and days whose retention has passed can leave the archive (expire_day). The rules stand in the functions here, so that a program that
-- forgets one is refused; the runtime role may call them and do nothing of it by itself.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- One closed UTC day of a ledger that was written to the archive, read back and verified: records [first_seq, next_seq), none when they
-- are equal. root: of the tree of next_seq records. last_time: recorded_at of record next_seq - 1. manifest: SHA-256 of the manifest's
-- payload. repositories: those that its records name, themselves or through their run.
create table cold_days (
  ledger text collate "C" not null,
  day date not null,
  first_seq bigint not null check (first_seq >= 0),
  next_seq bigint not null,
  last_time bigint not null,
  root bytea not null check (length(root) = 32),
  manifest bytea not null check (length(manifest) = 32),
  bytes bigint not null,
  repositories text[] not null,
  verified_at bigint not null,
  primary key (ledger, day),
  check (next_seq >= first_seq)
);
create index cold_days_seq on cold_days (ledger, next_seq);

-- The artifacts that the records of an archived day name: one that no younger day names may go with it.
create table day_artifacts (
  ledger text collate "C" not null,
  sha256 bytea not null check (length(sha256) = 32),
  day date not null,
  primary key (ledger, sha256, day)
);
create index day_artifacts_day on day_artifacts (ledger, day);

-- A month that left the tables. Everything below next_seq is in the archive, or expired.
create table detached_months (
  ledger text collate "C" not null,
  month date not null,
  test_type text collate "C" not null,
  first_seq bigint not null,
  next_seq bigint not null,
  at bigint not null,
  primary key (ledger, month)
);

-- Level 0 of the tree where no segment holds it any more, cut at tiles and at months: for ever, every proof needs it.
create table leaf_tiles (
  ledger text collate "C" not null,
  first_seq bigint not null,
  count smallint not null check (count between 1 and 256),
  hashes bytea not null check (length(hashes) = 32 * count),
  primary key (ledger, first_seq)
);
alter table leaf_tiles alter column hashes set storage external;

-- Segments of detached months that segments of younger months were compressed with.
create table dictionaries (
  ledger text collate "C" not null,
  first_seq bigint not null,
  count integer not null,
  first_time bigint not null,
  kind text collate "C" not null,
  dictionary_seq bigint,
  depth smallint not null,
  raw_bytes integer not null,
  payloads bytea not null,
  leaf_hashes bytea not null,
  id_hashes bytea not null,
  primary key (ledger, first_seq)
);
alter table dictionaries alter column payloads set storage external;

-- How long records stay: months in the tables (online), months in the archive (kept; null for ever). The newest row of an org's ledger
-- `operations` counts. set_retention refuses to lower kept.
create table retention_settings (
  ledger text collate "C" not null,
  n bigint not null,
  online smallint not null check (online >= 12),
  kept smallint check (kept >= online),
  at bigint not null,
  primary key (ledger, n)
);

-- What a hold names: a repository, a file in it, a period. `ledger` is the org's ledger operations.
create table holds (
  ledger text collate "C" not null,
  hold text collate "C" not null,
  repository text not null,
  path text,
  from_day date,
  to_day date,
  reason text not null,
  ticket text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, hold)
);

-- A release takes two people: one asks, another confirms.
create table hold_releases (
  ledger text collate "C" not null,
  hold text collate "C" not null,
  step text not null check (step in ('asked', 'confirmed')),
  by_whom text not null,
  reason text not null,
  at bigint not null,
  primary key (ledger, hold, step)
);

create view active_holds as
  select h.* from holds as h where not exists (
    select from hold_releases as a join hold_releases as c on c.ledger = a.ledger and c.hold = a.hold
    where a.ledger = h.ledger and a.hold = h.hold and a.step = 'asked' and c.step = 'confirmed' and a.by_whom <> c.by_whom);

-- A day that may leave the archive, written before its first byte is deleted; and what became of it. A day with the first row and without
-- the second is deleted again: that is safe.
create table expired_days (
  ledger text collate "C" not null,
  day date not null,
  first_seq bigint not null,
  next_seq bigint not null,
  at bigint not null,
  primary key (ledger, day)
);
create table destroyed_days (
  ledger text collate "C" not null,
  day date not null,
  files integer not null,
  artifacts integer not null,
  at bigint not null,
  primary key (ledger, day)
);

select make_write_once('cold_days'), make_write_once('day_artifacts'), make_write_once('detached_months'), make_write_once('leaf_tiles'),
       make_write_once('dictionaries'), make_write_once('retention_settings'), make_write_once('holds'), make_write_once('hold_releases'),
       make_write_once('expired_days'), make_write_once('destroyed_days');

-- Today as the database clock has it.
create function clock_day() returns date language sql volatile set search_path = proofline, pg_temp as $$
  select (to_timestamp(clock_micros() / 1000000) at time zone 'UTC')::date
$$;

-- Puts down how long records stay, if that is news; PL005 when it would be shorter than what was promised before.
create function set_retention(p_ledger text, p_online integer, p_kept integer) returns boolean
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  last record;
begin
  perform pg_advisory_xact_lock(hashtextextended('proofline.set_retention.' || p_ledger, 0));
  select n, online, kept into last from retention_settings where ledger = p_ledger order by n desc limit 1;
  if found then
    if p_kept is not null and (last.kept is null or p_kept < last.kept) then
      raise exception 'records are kept %; that may only be raised, not lowered to % months',
        coalesce('for ' || last.kept || ' months', 'for ever'), p_kept using errcode = 'PL005';
    end if;
    if last.online = p_online and last.kept is not distinct from p_kept then return false; end if;
  end if;
  insert into retention_settings (ledger, n, online, kept, at)
    values (p_ledger, coalesce(last.n, -1) + 1, p_online, p_kept, clock_micros());
  return true;
end $$;
revoke all on function set_retention(text, integer, integer) from public;

-- Takes one month of one test type out of the tables, in one transaction: dictionaries that younger months need, level-0 hashes, the rows
-- that tell readers, then the partition. Refuses with PL004 unless the month is over for as long as the settings of every org in it say
-- and at least twelve months, no older month is still here, and every ledger in it has all days of the month in the archive without a gap.
-- Locks `segments` against everybody only for its last two statements, for which it waits two seconds at most. Null when there is no
-- such partition.
create function detach_month(p_test_type text, p_month date) returns jsonb
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  part text := format('segments_%s_%s', p_test_type, to_char(p_month, 'YYYY_MM'));
  last_day date := (p_month + interval '1 month - 1 day')::date;
  months integer := 12;
  one record;
  days record;
  written bigint;
  tiles bigint := 0;
  copied bigint := 0;
  told jsonb := '[]';
begin
  if p_month <> date_trunc('month', p_month)::date then raise exception '% begins no month', p_month using errcode = 'PL004'; end if;
  perform pg_advisory_xact_lock(hashtextextended('proofline.detach_month', 0));
  if to_regclass('proofline.' || part) is null then return null; end if;
  if exists (select from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
             where i.inhparent = 'proofline.segments'::regclass and c.relname like format('segments\_%s\_%%', p_test_type) and c.relname < part) then
    raise exception 'a month before % is still here', p_month using errcode = 'PL004';
  end if;
  for one in execute format('select ledger, min(first_seq) as first, max(first_seq + count) as next, sum(count) as records from %I group by ledger', part) loop
    months := greatest(months, coalesce(
      (select online from retention_settings where ledger = split_part(one.ledger, '/', 1) || '/operations' order by n desc limit 1), 15));
    -- The days of the month, and those behind it up to the one that holds its last record: one that came when the clock had been put back
    -- behind a midnight lies in the file of a later day.
    select min(day) as first_day, max(day) as last_day, count(*) as n, min(first_seq) as first, max(next_seq) as next, bool_and(tiled) as tiled into days
      from (select day, first_seq, next_seq, lead(first_seq) over (order by day) is not distinct from next_seq or lead(day) over (order by day) is null as tiled
            from cold_days where ledger = one.ledger and day >= p_month
              and day <= greatest(last_day, (select min(day) from cold_days where ledger = one.ledger and next_seq >= one.next))) as of_month;
    if days.n = 0 or days.last_day < last_day or days.n <> days.last_day - days.first_day + 1 or not days.tiled
       or days.first > one.first or days.next < one.next or one.records <> one.next - one.first then
      raise exception '% of % is not whole in the archive: % days, records % to % of % to %',
        to_char(p_month, 'YYYY-MM'), one.ledger, days.n, days.first, days.next, one.first, one.next using errcode = 'PL004';
    end if;
  end loop;
  if p_month + interval '1 month' + make_interval(months => months) > clock_day() then
    raise exception '% is not over for % months yet', to_char(p_month, 'YYYY-MM'), months using errcode = 'PL004';
  end if;

  for one in execute format('select ledger, min(first_seq) as first, max(first_seq + count) as next from %I group by ledger', part) loop
    execute format($sql$
      insert into leaf_tiles (ledger, first_seq, count, hashes)
      select $1, a, b - a, (
        select string_agg(substring(s.leaf_hashes from 32 * greatest(0, t.a - s.first_seq)::integer + 1
                                    for 32 * (least(s.first_seq + s.count, t.b) - greatest(s.first_seq, t.a))::integer), ''::bytea order by s.first_seq)
        from %I as s where s.ledger = $1 and s.first_seq > t.a - 1024 and s.first_seq < t.b and s.first_seq + s.count > t.a)
      from (select greatest(tile * 256, $2) as a, least((tile + 1) * 256, $3) as b
            from generate_series($2 / 256, ($3 - 1) / 256) as tile) as t
      on conflict do nothing $sql$, part) using one.ledger, one.first, one.next;
    select sum(count) into written from leaf_tiles where ledger = one.ledger and first_seq >= one.first and first_seq < one.next;
    if written is distinct from one.next - one.first then raise exception 'leaf hashes were swallowed' using errcode = 'PL003'; end if;
    tiles := tiles + written;

    execute format($sql$
      with recursive used(seq) as (
        select dictionary_seq from segments where ledger = $1 and test_type = $2 and month > $3 and dictionary_seq is not null
        union
        select s.dictionary_seq from used as u join %I as s on s.ledger = $1 and s.first_seq = u.seq where s.dictionary_seq is not null)
      insert into dictionaries (ledger, first_seq, count, first_time, kind, dictionary_seq, depth, raw_bytes, payloads, leaf_hashes, id_hashes)
      select s.ledger, s.first_seq, s.count, s.first_time, s.kind, s.dictionary_seq, s.depth, s.raw_bytes, s.payloads, s.leaf_hashes, s.id_hashes
      from %I as s where s.ledger = $1 and s.first_seq in (select seq from used) on conflict do nothing $sql$, part, part)
      using one.ledger, p_test_type, p_month;
    get diagnostics written = row_count;
    copied := copied + written;
    insert into detached_months (ledger, month, test_type, first_seq, next_seq, at)
      values (one.ledger, p_month, p_test_type, one.first, one.next, clock_micros());
    told := told || jsonb_build_object('ledger', one.ledger, 'first_seq', one.first, 'next_seq', one.next);
  end loop;
  perform set_config('lock_timeout', '2000', true);
  execute format('alter table segments detach partition %I', part);
  execute format('drop table %I', part);
  return jsonb_build_object('ledgers', told, 'leaf_hashes', tiles, 'dictionaries', copied);
end $$;
revoke all on function detach_month(text, date) from public;

-- The months of a test type that are still in the tables, oldest first.
create function attached_months(p_test_type text) returns setof date language sql stable set search_path = proofline, pg_temp as $$
  select to_date(right(c.relname, 7), 'YYYY_MM') from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
  where i.inhparent = 'proofline.segments'::regclass and c.relname like format('segments\_%s\_%%', p_test_type) order by 1
$$;

-- Marks a day as expired: from then on nobody reads it, and its files may be deleted. Refuses with PL006 unless it left the tables, records
-- are not kept for ever, its retention has passed by the calendar, no hold names a repository of it, and every day before it is expired
-- or held. False when it is marked already.
create function expire_day(p_ledger text, p_day date) returns boolean
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  operations text := split_part(p_ledger, '/', 1) || '/operations';
  found_day record;
  settings record;
  held text;
begin
  -- A hold that is put down at the same time waits for this, or this for it.
  perform pg_advisory_xact_lock(hashtextextended('proofline.holds.' || operations, 0));
  if exists (select from expired_days where ledger = p_ledger and day = p_day) then return false; end if;
  select * into found_day from cold_days where ledger = p_ledger and day = p_day;
  if not found then raise exception '% of % is not in the archive', p_day, p_ledger using errcode = 'PL006'; end if;
  if not exists (select from detached_months where ledger = p_ledger and next_seq >= found_day.next_seq) then
    raise exception '% of % is still in the tables', p_day, p_ledger using errcode = 'PL006';
  end if;
  select kept into settings from retention_settings where ledger = operations order by n desc limit 1;
  if not found or settings.kept is null then raise exception 'records of % are kept for ever', p_ledger using errcode = 'PL006'; end if;
  if p_day + make_interval(months => settings.kept) >= clock_day() then
    raise exception '% of % is kept for % months', p_day, p_ledger, settings.kept using errcode = 'PL006';
  end if;
  select hold into held from active_holds where ledger = operations and repository = any(found_day.repositories)
    and coalesce(from_day <= p_day, true) and coalesce(to_day >= p_day, true) limit 1;
  if found then raise exception '% of % is under hold %', p_day, p_ledger, held using errcode = 'PL006'; end if;
  insert into expired_days (ledger, day, first_seq, next_seq, at)
    values (p_ledger, p_day, found_day.first_seq, found_day.next_seq, clock_micros());
  return true;
end $$;
revoke all on function expire_day(text, date) from public;

-- Puts a hold down. Behind the lock that expire_day takes: either the hold is seen, or the day was expired before it.
create function add_hold(p_ledger text, p_hold text, p_repository text, p_path text, p_from date, p_to date, p_reason text, p_ticket text, p_by text)
  returns void language plpgsql set search_path = proofline, pg_temp as $$
declare
  written integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('proofline.holds.' || p_ledger, 0));
  insert into holds (ledger, hold, repository, path, from_day, to_day, reason, ticket, by_whom, at)
    values (p_ledger, p_hold, p_repository, p_path, p_from, p_to, p_reason, p_ticket, p_by, clock_micros());
  get diagnostics written = row_count;
  if written <> 1 then raise exception 'the hold was swallowed' using errcode = 'PL003'; end if;
end $$;

grant select on cold_days, day_artifacts, detached_months, leaf_tiles, dictionaries, retention_settings, holds, hold_releases, active_holds,
  expired_days, destroyed_days to proofline_runtime;
grant insert (ledger, day, first_seq, next_seq, last_time, root, manifest, bytes, repositories, verified_at) on cold_days to proofline_runtime;
grant insert (ledger, sha256, day) on day_artifacts to proofline_runtime;
grant insert (ledger, hold, repository, path, from_day, to_day, reason, ticket, by_whom, at) on holds to proofline_runtime;
grant insert (ledger, hold, step, by_whom, reason, at) on hold_releases to proofline_runtime;
grant insert (ledger, day, files, artifacts, at) on destroyed_days to proofline_runtime;
grant execute on function set_retention(text, integer, integer), detach_month(text, date), expire_day(text, date) to proofline_runtime;
