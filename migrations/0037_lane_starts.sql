-- Where lanes begin: the list of lanes, which the status, drills and comparisons ask for, read the whole of `cuts`, a row for each second in
-- which something was ever sent. Locks `cuts` against inserts while the index is built: deliveries wait, about a second for a million rows.
-- Runs as proofline_owner with search_path = proofline.

create index cuts_starts on cuts (ledger, destination) where base = -1;
