-- Credentials. Not evidence, but insert-only all the same: a token is never changed, only revoked, and both stay visible.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- `hash` is SHA-256 of the secret, which has 256 random bits: a slow hash would protect nothing more and cost every request.
create table tokens (
  id text collate "C" primary key check (id ~ '^[0-9a-f]{16}$'),
  org text collate "C" not null,
  label text not null,
  hash bytea not null check (length(hash) = 32),
  scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ array['push', 'feed', 'audit', 'operate']),
  -- null: not bound to repositories
  repositories text[] check (cardinality(repositories) > 0),
  created_at bigint not null,
  expires_at bigint not null,
  check (expires_at > created_at)
);
create index tokens_org on tokens (org);

create table token_revocations (
  token_id text collate "C" primary key references tokens (id),
  revoked_at bigint not null
);

-- Keys that every node on this database must share, for example the one that authenticates feed cursors. They guard no evidence.
create table service_secrets (
  name text collate "C" primary key,
  secret bytea not null check (length(secret) >= 32)
);

select make_write_once('tokens'), make_write_once('token_revocations'), make_write_once('service_secrets');

grant select on tokens, token_revocations, service_secrets to proofline_runtime;
grant insert (id, org, label, hash, scopes, repositories, created_at, expires_at) on tokens to proofline_runtime;
grant insert (token_id, revoked_at) on token_revocations to proofline_runtime;
grant insert (name, secret) on service_secrets to proofline_runtime;
