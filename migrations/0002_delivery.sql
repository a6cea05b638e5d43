-- Delivery: cuts, attempts, outcomes, parked records, positions and standings of destinations; all insert-only, in their final form.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- What a destination has taken on of a ledger: consecutive ranges, each with one successor, as in heads. Genesis is base -1; its `next`
-- is where the destination starts. A cut lies within one month of recorded_at.
create table cuts (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  month date not null,
  base bigint not null,
  next bigint not null,
  primary key (ledger, destination, base),
  unique (ledger, destination, next),
  check (next > base)
);

-- One try to send a range of a ledger, written before the first byte leaves. left_out: bit i (lowest bit of a byte first) set means that
-- first_seq + i is not part of it. target: what one request goes to (index and sourcetype, or index). mark: how many earlier tries of
-- these records may have left this machine. request: SHA-256 that identifies the bytes. Times in microseconds; after send_before no byte
-- is begun, after deadline none is on its way.
create table attempts (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  month date not null,
  first_seq bigint not null,
  try integer not null check (try >= 1),
  last_seq bigint not null,
  left_out bytea,
  target text not null,
  channel uuid not null,
  mark integer not null check (mark >= 0 and mark < try),
  render smallint not null,
  request bytea not null check (length(request) = 32),
  opened_at bigint not null,
  send_before bigint not null,
  deadline bigint not null,
  primary key (ledger, destination, month, first_seq, try),
  check (last_seq >= first_seq),
  check (left_out is null or length(left_out) <= (last_seq - first_seq) / 8 + 1)
) partition by range (month);

-- What became of an attempt, step by step; the primary key lets one worker take each step, and the attempts that follow from a step are
-- inserted with it. marks: one letter a member of the attempt, in order, or a single one for all of them:
--   d delivered   a accepted, not proved   r refused   u unsent, to be sent again   i in doubt   e something of this id is there, compare
--   p parked, on hold or unproved          n the next try has it
-- reasons: {"<offset>": "..."} where members differ from `reason`. answer: what was seen, redacted and cut short.
create table outcomes (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  month date not null,
  first_seq bigint not null,
  try integer not null,
  step integer not null check (step >= 0),
  at bigint not null,
  source text not null check (source in ('answer', 'look', 'loss', 'policy', 'operator')),
  marks text collate "C" not null check (marks ~ '^[darueipn]+$'),
  reason text,
  reasons jsonb,
  split text,
  retry_at bigint,
  block text,
  receipt jsonb,
  answer jsonb,
  primary key (ledger, destination, month, first_seq, try, step)
) partition by range (month);

-- The open list: records that were refused, are on hold, or were accepted and never proved. The position passes them.
create table parked (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  seq bigint not null,
  try integer not null,
  month date not null,
  first_seq bigint not null,
  id text not null,
  kind text not null check (kind in ('refused', 'unresolved', 'unproved')),
  reason text not null,
  at bigint not null,
  primary key (ledger, destination, seq, try)
);

-- How a parked record left the list. A retry inserts its attempt and a positions row in the same transaction.
create table parked_ends (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  seq bigint not null,
  try integer not null,
  how text not null check (how in ('found', 'retried', 'discarded')),
  reason text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, destination, seq, try)
);

-- A row a minute while things move: no attempt that is still open begins below open_from, so a start reads from there. Monotonic in no
-- sense but time: a stale row is only lower, which costs reading and nothing else.
create table positions (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  at bigint not null,
  open_from bigint not null,
  open_month date not null,
  sent_to bigint not null,
  proved_to bigint not null,
  primary key (ledger, destination, at)
);

-- Running, paused (an operator's word) or blocked (circumstances), as it changes.
create table standings (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null,
  at bigint not null,
  state text not null check (state in ('running', 'paused', 'blocked')),
  reason text not null,
  detail text not null,
  primary key (ledger, destination, n)
);

select make_write_once('cuts'), make_write_once('attempts'), make_write_once('outcomes'), make_write_once('parked'),
       make_write_once('parked_ends'), make_write_once('positions'), make_write_once('standings');

-- Makes the partitions of attempts and outcomes for `months` months from the month of `first` on; those that exist stay. A backlog is cut
-- into the months of its records, so delivery calls this for every month that it meets. Returns how many were made.
create function ensure_delivery_partitions(first date, months integer) returns integer
  language plpgsql security definer set search_path = proofline, pg_temp as $$
declare
  parent text;
  month date;
  name text;
  made integer := 0;
begin
  if months not between 1 and 36 then raise exception 'months must be 1 to 36'; end if;
  perform pg_advisory_xact_lock(hashtextextended('proofline.ensure_delivery_partitions', 0));
  foreach parent in array array['attempts', 'outcomes'] loop
    for i in 0 .. months - 1 loop
      month := (date_trunc('month', first) + make_interval(months => i))::date;
      name := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      if to_regclass('proofline.' || name) is null then
        execute format('create table %I (like %I including all)', name, parent);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, month, (month + interval '1 month')::date);
        perform make_write_once('proofline.' || name);
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;
revoke all on function ensure_delivery_partitions(date, integer) from public;
grant execute on function ensure_delivery_partitions(date, integer) to proofline_runtime;

grant select on cuts, attempts, outcomes, parked, parked_ends, positions, standings to proofline_runtime;
grant insert (ledger, destination, month, base, next) on cuts to proofline_runtime;
grant insert (ledger, destination, month, first_seq, try, last_seq, left_out, target, channel, mark, render, request, opened_at, send_before, deadline)
  on attempts to proofline_runtime;
grant insert (ledger, destination, month, first_seq, try, step, at, source, marks, reason, reasons, split, retry_at, block, receipt, answer)
  on outcomes to proofline_runtime;
grant insert (ledger, destination, seq, try, month, first_seq, id, kind, reason, at) on parked to proofline_runtime;
grant insert (ledger, destination, seq, try, how, reason, by_whom, at) on parked_ends to proofline_runtime;
grant insert (ledger, destination, at, open_from, open_month, sent_to, proved_to) on positions to proofline_runtime;
grant insert (ledger, destination, n, at, state, reason, detail) on standings to proofline_runtime;
