-- Keys of CI systems without OIDC, which sign what they push. Not evidence, but insert-only all the same, as tokens are: a key is never
-- changed, only revoked, and both stay visible. Public keys only: the private one is with whoever pushes.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

create table producers (
  id text collate "C" primary key check (id ~ '^[0-9a-f]{16}$'),
  org text collate "C" not null,
  label text not null,
  public_key bytea not null check (length(public_key) = 32),
  -- A key for every repository would be one secret too many.
  repositories text[] not null check (cardinality(repositories) > 0),
  created_at bigint not null,
  expires_at bigint not null,
  check (expires_at > created_at)
);
create index producers_org on producers (org);

create table producer_revocations (
  producer_id text collate "C" primary key references producers (id),
  revoked_at bigint not null
);

select make_write_once('producers'), make_write_once('producer_revocations');

grant select on producers, producer_revocations to proofline_runtime;
grant insert (id, org, label, public_key, repositories, created_at, expires_at) on producers to proofline_runtime;
grant insert (producer_id, revoked_at) on producer_revocations to proofline_runtime;
