-- Lists of gates, deployments and dispositions cost what they show: by repository, verdict, environment, and by what a note is about, each in order
-- of seq. verdict: of a gate, which an override has none of, or the decision that a deployment rests on. subject: what a disposition is about. All
-- derived: what stands in `changes` is emptied here and made again by its follower. Runs as proofline_owner with search_path = proofline,
-- proofline_derived. Locks the table for a moment.

truncate proofline_derived.decisions;
update proofline_derived.history_positions set generation = generation + 1, next = 0 where split_part(ledger, '/', 2) = 'changes';

alter table proofline_derived.decisions add column verdict text collate "C", add column subject text collate "C";

create index decisions_of_repository on proofline_derived.decisions (ledger, repository, kind, seq);
create index decisions_of_verdict on proofline_derived.decisions (ledger, kind, verdict, seq) where verdict is not null;
create index decisions_of_verdict_in on proofline_derived.decisions (ledger, repository, kind, verdict, seq) where verdict is not null;
create index decisions_of_environment on proofline_derived.decisions (ledger, kind, environment, seq) where environment is not null;
create index decisions_of_environment_in on proofline_derived.decisions (ledger, repository, kind, environment, seq) where environment is not null;
create index decisions_about on proofline_derived.decisions (ledger, repository, subject, seq) where subject is not null;
