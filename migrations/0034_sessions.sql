-- Sessions of people who signed in at the issuer of the org. Not evidence, but insert-only all the same, as tokens are: a session is never
-- changed, only ended, and both stay visible. Subjects of the issuer only, no names.
-- Runs as proofline_owner with search_path = proofline. Locks nothing that exists.

-- `hash` is SHA-256 of the secret in the cookie, which has 256 random bits.
create table sessions (
  id text collate "C" primary key check (id ~ '^[0-9a-f]{16}$'),
  org text collate "C" not null,
  hash bytea not null check (length(hash) = 32),
  issuer text not null,
  subject text not null,
  scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ array['feed', 'audit', 'operate']),
  -- null: not bound to repositories
  repositories text[] check (cardinality(repositories) > 0),
  created_at bigint not null,
  expires_at bigint not null,
  check (expires_at > created_at)
);
create index sessions_org on sessions (org, expires_at);

create table session_ends (
  session_id text collate "C" primary key references sessions (id),
  why text not null check (why in ('signed_out', 'replaced', 'revoked')),
  ended_at bigint not null
);

select make_write_once('sessions'), make_write_once('session_ends');

grant select on sessions, session_ends to proofline_runtime;
grant insert (id, org, hash, issuer, subject, scopes, repositories, created_at, expires_at) on sessions to proofline_runtime;
grant insert (session_id, why, ended_at) on session_ends to proofline_runtime;
