-- The fence of the archive is narrower. A row of cold_days, which is what lets a month leave the tables and a day expire, is written by a
-- function that demands that it continues the day before, is over, and holds nothing unpublished; its time is the database's. A month leaves
-- only when all its days were read back within the last seven days (archive_readings): they were read when they were written, but that is
-- 15 months ago, and meanwhile a bucket can have been changed for another, or a rule of it can have deleted them. A day expires only after
-- those before it.
-- Runs as proofline_owner with search_path = proofline. Locks nothing for longer than a moment. Breaking: nodes of an older version cannot
-- archive days any more and move no months; they go on with everything else until they are replaced.

create table archive_readings (
  ledger text collate "C" not null,
  day date not null,
  at bigint not null default clock_micros(),
  primary key (ledger, day, at)
);
select make_write_once('archive_readings');
grant select on archive_readings to proofline_runtime;
grant insert (ledger, day) on archive_readings to proofline_runtime;
do $$
begin
  if exists (select from pg_roles where rolname = 'proofline_reader') then grant select on archive_readings to proofline_reader; end if;
end $$;

-- The days of the month, and those behind it up to the one that holds its last record: one that came when the clock had been put back behind
-- a midnight lies in the file of a later day.
create function days_of_month(p_ledger text, p_month date, p_next bigint) returns setof date
  language sql stable set search_path = proofline, pg_temp as $$
  select day from cold_days where ledger = p_ledger and day >= p_month
    and day <= greatest((p_month + interval '1 month - 1 day')::date, (select min(day) from cold_days where ledger = p_ledger and next_seq >= p_next))
  order by day
$$;

-- Puts down that a day is in the archive. False when it is down already. PL007 for one that does not continue the day before, is not over,
-- or holds what no checkpoint covers.
create function put_cold_day(p_ledger text, p_day date, p_first bigint, p_next bigint, p_last_time bigint, p_root bytea, p_manifest bytea,
  p_bytes bigint, p_repositories text[]) returns boolean
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  newest record;
begin
  perform pg_advisory_xact_lock(hashtextextended('proofline.cold_days.' || p_ledger, 0));
  if exists (select from cold_days where ledger = p_ledger and day = p_day) then return false; end if;
  select day, next_seq into newest from cold_days where ledger = p_ledger order by day desc limit 1;
  if p_first <> coalesce(newest.next_seq, 0) or p_day <> coalesce(newest.day + 1, p_day) then
    raise exception '% of % from record % does not continue % up to %', p_day, p_ledger, p_first, newest.day, newest.next_seq using errcode = 'PL007';
  end if;
  if p_day >= clock_day() then raise exception '% of % is not over', p_day, p_ledger using errcode = 'PL007'; end if;
  if p_last_time >= extract(epoch from p_day + 1)::bigint * 1000000 then
    raise exception '% of % ends with a later record', p_day, p_ledger using errcode = 'PL007';
  end if;
  if p_next > coalesce((select max(size) from checkpoints where ledger = p_ledger), 0) then
    raise exception '% of % holds records up to %, which are not published', p_day, p_ledger, p_next using errcode = 'PL007';
  end if;
  insert into cold_days (ledger, day, first_seq, next_seq, last_time, root, manifest, bytes, repositories, verified_at)
    values (p_ledger, p_day, p_first, p_next, p_last_time, p_root, p_manifest, p_bytes, p_repositories, clock_micros());
  return true;
end $$;
revoke all on function put_cold_day(text, date, bigint, bigint, bigint, bytea, bytea, bigint, text[]) from public;
grant execute on function put_cold_day(text, date, bigint, bigint, bigint, bytea, bytea, bigint, text[]) to proofline_runtime;
revoke insert (ledger, day, first_seq, next_seq, last_time, root, manifest, bytes, repositories, verified_at) on cold_days from proofline_runtime;

-- As in 0017, and all days of the month were read back lately.
create or replace function detach_month(p_test_type text, p_month date) returns jsonb
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
  unread date;
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
    select min(day) as first_day, max(day) as last_day, count(*) as n, min(first_seq) as first, max(next_seq) as next, bool_and(tiled) as tiled into days
      from (select day, first_seq, next_seq, lead(first_seq) over (order by day) is not distinct from next_seq or lead(day) over (order by day) is null as tiled
            from cold_days where ledger = one.ledger and day in (select d from days_of_month(one.ledger, p_month, one.next) as d)) as of_month;
    if days.n = 0 or days.last_day < last_day or days.n <> days.last_day - days.first_day + 1 or not days.tiled
       or days.first > one.first or days.next < one.next or one.records <> one.next - one.first then
      raise exception '% of % is not whole in the archive: % days, records % to % of % to %',
        to_char(p_month, 'YYYY-MM'), one.ledger, days.n, days.first, days.next, one.first, one.next using errcode = 'PL004';
    end if;
  end loop;
  if p_month + interval '1 month' + make_interval(months => months) > clock_day() then
    raise exception '% is not over for % months yet', to_char(p_month, 'YYYY-MM'), months using errcode = 'PL004';
  end if;
  for one in execute format('select ledger, max(first_seq + count) as next from %I group by ledger', part) loop
    select day into unread from days_of_month(one.ledger, p_month, one.next) as d(day)
      where not exists (select from archive_readings as r where r.ledger = one.ledger and r.day = d.day and r.at > clock_micros() - 604800000000) order by day limit 1;
    if found then
      raise exception '% of % was not read back from the archive within seven days', unread, one.ledger using errcode = 'PL004';
    end if;
  end loop;

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

-- As in 0017, and what its words there promised: every day before it is expired or held.
create or replace function expire_day(p_ledger text, p_day date) returns boolean
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  operations text := split_part(p_ledger, '/', 1) || '/operations';
  found_day record;
  settings record;
  held text;
  earlier date;
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
  -- What is read begins behind the last day that expired: an earlier one that need not go would be hidden with it.
  select day into earlier from cold_days as d where d.ledger = p_ledger and d.day < p_day
    and not exists (select from expired_days as e where e.ledger = p_ledger and e.day = d.day)
    and not exists (select from active_holds as h where h.ledger = operations and h.repository = any(d.repositories)
      and coalesce(h.from_day <= d.day, true) and coalesce(h.to_day >= d.day, true)) order by day limit 1;
  if found then raise exception '% of %: % before it is neither expired nor held', p_day, p_ledger, earlier using errcode = 'PL006'; end if;
  insert into expired_days (ledger, day, first_seq, next_seq, at)
    values (p_ledger, p_day, found_day.first_seq, found_day.next_seq, clock_micros());
  return true;
end $$;
