#!/bin/sh
# Closed days of Proofline into a bucket that a Google SecOps feed reads: copy-days.sh LEDGER gs://BUCKET/proofline
# Each day is one gzip file of record bytes, one a line, under a name that never changes; a day that is there is not copied again, and none
# is half there: objects of Cloud Storage appear whole. Run it every hour. PROOFLINE_URL, PROOFLINE_TOKEN (scope feed); curl, jq, zstd, gcloud.
set -eu
ledger=$1 target=$2
get() { curl --fail --silent --show-error --retry 5 -H "Authorization: Bearer $PROOFLINE_TOKEN" "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

after=0001-01-01
while :; do
  get "$PROOFLINE_URL/v1/feed/$ledger/days?after=$after&limit=1000" >"$work/days"
  [ "$(jq '.days | length' "$work/days")" -gt 0 ] || break
  jq -r '.days[] | select(.expired | not) | select(.size > .first_seq) | .day' "$work/days" >"$work/names"
  while read -r day; do
    name="$target/$ledger.$day.ndjson.gz"
    gcloud storage ls "$name" >/dev/null 2>&1 </dev/null && continue
    get "$PROOFLINE_URL/v1/feed/$ledger/days/$day/records.ndjson.zst" >"$work/day.zst" </dev/null
    zstd -dqf "$work/day.zst" -o "$work/day"
    gzip -n <"$work/day" >"$work/day.gz"
    # Whoever else copies the same day meanwhile has the same bytes.
    gcloud storage cp --no-clobber "$work/day.gz" "$name" </dev/null
  done <"$work/names"
  after=$(jq -r '.days[-1].day' "$work/days")
done
