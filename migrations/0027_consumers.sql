-- How far each named puller of the feed is, so that an operator sees it after a restart and from every node. Derived from what pullers ask
-- for: lost, it fills again as they ask. Nothing rests on it, no page depends on it. One row for each name and ledger, at most a thousand a
-- ledger. Runs as proofline_owner with search_path = proofline, proofline_derived. Locks nothing that exists.

-- ledger: its first generation. generation, next: the place that was asked for last; everything before is the puller's own. by: the credential
-- that asked last. moved_at: when the place was last another one than before. rewound_*: the last time it lay before the one asked for before.
create table proofline_derived.consumers (
  ledger text collate "C" not null,
  consumer text collate "C" not null,
  generation integer not null,
  next bigint not null,
  by text not null,
  seen_at bigint not null,
  moved_at bigint not null,
  rewound_at bigint,
  rewound_from bigint,
  rewound_to bigint,
  primary key (ledger, consumer)
);
grant select, insert, update, delete on proofline_derived.consumers to proofline_runtime;
