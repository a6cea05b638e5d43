-- What a comparison found missing beyond what it lists by id, and the cluster that a lane began with. Runs as proofline_owner with
-- search_path = proofline, proofline_derived. Locks comparisons and bindings for as long as adding a column without default takes.

-- Of the last comparison that was answered: {"at", "runs": [first, last, ...], "records", "beyond"}. Derived like the rest of the row.
alter table proofline_derived.comparisons add column unlisted jsonb;

-- The cluster_uuid that the address told when the lane was bound to it; null where it tells none.
alter table bindings add column cluster text;
grant insert (cluster) on bindings to proofline_runtime;
