-- How long an attempt was looked for, by all the processes that had it: what is given up was looked for that long, however often the
-- service starts. Runs as proofline_owner with search_path = proofline, proofline_derived. Locks outcomes for as long as adding a column
-- without default takes.

-- Milliseconds up to this row; null where nobody had looked, and in rows of earlier builds.
alter table outcomes add column looked_ms bigint check (looked_ms >= 0);
grant insert (looked_ms) on outcomes to proofline_runtime;
