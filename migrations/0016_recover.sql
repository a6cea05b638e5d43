-- Puts back what an older database lost: the same as append, without the demand that the times be of now, since the records keep the times
-- that they were signed with. Only the owner may call it (`proofline recover`); the service cannot back-date. It goes on from the newest
-- head only, so nothing that is there is touched. Returns the database clock, or null when `base` has a successor already.
-- Runs as proofline_owner with search_path = proofline. Locks nothing.
create function restore_append(
  p_ledger text, p_base bigint, p_size bigint, p_root bytea, p_first bigint, p_last bigint, p_month date, p_test_type text,
  p_keys text[], p_digests bytea, p_key_firsts bigint[], p_key_lasts bigint[], p_key_times bigint[],
  p_firsts bigint[], p_counts integer[], p_times bigint[], p_kinds text[], p_chains bigint[], p_chain_indexes integer[],
  p_dictionaries bigint[], p_depths smallint[], p_raw integer[], p_lengths integer[], p_payloads bytea, p_leaves bytea, p_ids bytea,
  p_tile_levels smallint[], p_tile_indexes bigint[], p_tile_roots bytea,
  p_seals jsonb
) returns bigint language plpgsql set search_path = proofline, pg_temp as $$
declare
  previous record;
  written integer;
begin
  select last_time into previous from heads where ledger = p_ledger and size = p_base;
  if not found then raise exception 'no head of size %', p_base using errcode = 'PL003'; end if;
  if p_first <= previous.last_time then raise exception 'time does not increase' using errcode = 'PL003'; end if;
  insert into heads (ledger, base, size, root, first_time, last_time, month)
    values (p_ledger, p_base, p_size, p_root, p_first, p_last, p_month) on conflict do nothing;
  get diagnostics written = row_count;
  if written <> 1 then return null; end if;

  insert into submissions (ledger, key, digest, first_seq, last_seq, first_time)
    select p_ledger, k, substring(p_digests from 32 * (i::integer - 1) + 1 for 32), f, l, t
    from unnest(p_keys, p_key_firsts, p_key_lasts, p_key_times) with ordinality as u(k, f, l, t, i);
  get diagnostics written = row_count;
  if written <> cardinality(p_keys) then raise exception 'submissions were swallowed' using errcode = 'PL003'; end if;

  insert into segments (ledger, test_type, month, first_seq, count, first_time, kind, chain, chain_index, dictionary_seq, depth, raw_bytes,
                        payloads, leaf_hashes, id_hashes)
    select p_ledger, p_test_type, p_month, f, n, t, kind, chain, chain_index, dictionary, depth, raw,
           substring(p_payloads from at::integer + 1 for len), substring(p_leaves from 32 * before::integer + 1 for 32 * n),
           substring(p_ids from 8 * before::integer + 1 for 8 * n)
    from (select *, coalesce(sum(len) over w - len, 0) as at, coalesce(sum(n) over w - n, 0) as before
          from unnest(p_firsts, p_counts, p_times, p_kinds, p_chains, p_chain_indexes, p_dictionaries, p_depths, p_raw, p_lengths)
            with ordinality as u(f, n, t, kind, chain, chain_index, dictionary, depth, raw, len, i)
          window w as (order by i)) as parts;
  get diagnostics written = row_count;
  if written <> cardinality(p_firsts) then raise exception 'segments were swallowed' using errcode = 'PL003'; end if;

  insert into tile_roots (ledger, level, index, root)
    select p_ledger, l, n, substring(p_tile_roots from 32 * (i::integer - 1) + 1 for 32)
    from unnest(p_tile_levels, p_tile_indexes) with ordinality as u(l, n, i);
  get diagnostics written = row_count;
  if written <> cardinality(p_tile_levels) then raise exception 'tile roots were swallowed' using errcode = 'PL003'; end if;

  if p_seals is not null then
    insert into seals (ledger, repository, suite, ref, seq, admitted, measure_digest)
      select p_ledger, s->>'repository', s->>'suite', s->>'ref', (s->>'seq')::bigint, (s->>'admitted')::boolean, decode(s->>'measure_digest', 'hex')
      from jsonb_array_elements(p_seals) as s;
    get diagnostics written = row_count;
    if written <> jsonb_array_length(p_seals) then raise exception 'seals were swallowed' using errcode = 'PL003'; end if;
  end if;
  return clock_micros();
end $$;
revoke all on function restore_append(text, bigint, bigint, bytea, bigint, bigint, date, text, text[], bytea, bigint[], bigint[], bigint[],
  bigint[], integer[], bigint[], text[], bigint[], integer[], bigint[], smallint[], integer[], integer[], bytea, bytea, bytea, smallint[],
  bigint[], bytea, jsonb) from public;
