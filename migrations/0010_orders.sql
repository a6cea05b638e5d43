-- What people order about records that were cut already: send them again, settle them by a search made by hand, take another address for the
-- same SIEM. All insert-only. Runs as proofline_owner with search_path = proofline. Locks attempts and parked_ends against writes for as
-- long as adding a column without default takes, and attempts while its index is made: it has about one row for a thousand records.

-- An order to send records again: first_seq to next_seq without those of left_out (bit i, lowest bit of a byte first, stands for
-- first_seq + i). mark: what each try of it says of earlier tries that may have left this machine; null for as many as there were tries.
-- Orders of a lane are carried out in the order of n.
create table redeliveries (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null check (n >= 1),
  first_seq bigint not null check (first_seq >= 0),
  next_seq bigint not null,
  left_out bytea,
  why text not null check (why in ('retry', 'missing', 'range')),
  mark integer check (mark >= 0),
  reason text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, destination, n),
  check (next_seq > first_seq),
  check (left_out is null or length(left_out) <= (next_seq - first_seq - 1) / 8 + 1)
);

-- How far an order is taken on: consecutive pieces from first_seq to next_seq, each with one successor, as in cuts; inserted in one
-- statement with the attempts that it opens.
create table redelivery_cuts (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null,
  base bigint not null,
  next bigint not null,
  primary key (ledger, destination, n, base),
  unique (ledger, destination, n, next),
  check (next > base)
);

-- An order of which everything was taken on and no attempt is open any more. A start looks for open attempts of orders without one.
create table redelivery_ends (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null,
  at bigint not null,
  primary key (ledger, destination, n)
);

-- The order that an attempt belongs to; its next tries have it too. Such attempts lie behind the position, so they are found by this.
alter table attempts add column redelivery bigint;
create index attempts_of_orders on attempts (ledger, destination, redelivery) where redelivery is not null;

-- The order that a record left the open list with.
alter table parked_ends add column redelivery bigint;

-- What a person's search settled. Who is at work on the lane looks at the newest row and reads everything anew when there is another.
create table settlements (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null check (n >= 1),
  delivered integer not null,
  altered integer not null,
  absent integer not null,
  duplicates integer not null,
  reason text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, destination, n)
);

-- Which SIEM a lane sends to, by host and path of its URL; the newest holds. Another one in the configuration is not sent to.
create table bindings (
  ledger text collate "C" not null,
  destination text collate "C" not null,
  n bigint not null check (n >= 1),
  address text not null,
  reason text not null,
  by_whom text not null,
  at bigint not null,
  primary key (ledger, destination, n)
);

select make_write_once('redeliveries'), make_write_once('redelivery_cuts'), make_write_once('redelivery_ends'),
       make_write_once('settlements'), make_write_once('bindings');

grant select on redeliveries, redelivery_cuts, redelivery_ends, settlements, bindings to proofline_runtime;
grant insert (ledger, destination, n, first_seq, next_seq, left_out, why, mark, reason, by_whom, at) on redeliveries to proofline_runtime;
grant insert (ledger, destination, n, base, next) on redelivery_cuts to proofline_runtime;
grant insert (ledger, destination, n, at) on redelivery_ends to proofline_runtime;
grant insert (redelivery) on attempts to proofline_runtime;
grant insert (redelivery) on parked_ends to proofline_runtime;
grant insert (ledger, destination, n, delivered, altered, absent, duplicates, reason, by_whom, at) on settlements to proofline_runtime;
grant insert (ledger, destination, n, address, reason, by_whom, at) on bindings to proofline_runtime;
