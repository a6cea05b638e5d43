-- Where a lineage begins when only a commit is known, or the name of a build or a deployment, and not whose: without these, every declared run
-- and every decision of a ledger would be read. All derived. Runs as proofline_owner with search_path = proofline, proofline_derived. Locks the two
-- tables against writes while their indexes are made: some milliseconds for the runs of a year.

create index history_declared_by_commit on proofline_derived.history_declared (ledger, commit, seq);
create index decisions_named on proofline_derived.decisions (ledger, kind, name);
