#!/usr/bin/env bash
# Turns the inputs of action.yml, which stand in the environment, into one call of proofline. Whatever has several values has one a line.
set -euo pipefail

arguments=()
one() { if [ -n "$2" ]; then arguments+=("$1" "$2"); fi; }
each() {
  local line
  while IFS= read -r line; do
    if [ -n "$line" ]; then arguments+=(${1:+"$1"} "$line"); fi
  done <<<"$2"
}

case "$INPUT_COMMAND" in
  push | seal)
    one --test-type "${INPUT_TEST_TYPE:-}"
    one --suite "${INPUT_SUITE:-}"
    one --run "${INPUT_RUN:-}"
    one --parts "${INPUT_PARTS:-}"
    one --tests "${INPUT_TESTS:-}"
    each --junit "${INPUT_JUNIT:-}"
    ;;
  *) one --build "${INPUT_BUILD:-}" ;;
esac
case "$INPUT_COMMAND" in
  push)
    one --outcome "${INPUT_OUTCOME:-}"
    one --shard "${INPUT_SHARD:-}"
    one --build "${INPUT_BUILD:-}"
    one --stage "${INPUT_STAGE:-}"
    one --environment "${INPUT_ENVIRONMENT:-}"
    each --configuration "${INPUT_CONFIGURATION:-}"
    # One word: what follows begins with a hyphen.
    while IFS= read -r flag; do
      if [ -n "$flag" ]; then arguments+=("--flags=$flag"); fi
    done <<<"${INPUT_FLAGS:-}"
    one --on-unavailable "${INPUT_ON_UNAVAILABLE:-}"
    one --spool "${INPUT_SPOOL:-}"
    ;;
  seal) ;; # its outcome is that of the shards, not that of the job that seals
  gate)
    one --wait "${INPUT_WAIT:-}"
    one --base "${INPUT_BASE:-}"
    ;;
  deployed)
    one --environment "${INPUT_ENVIRONMENT:-}"
    one --artifact "${INPUT_ARTIFACT:-}"
    one --id "${INPUT_DEPLOYMENT:-}"
    ;;
  *)
    echo "command is push, seal, gate or deployed, not $INPUT_COMMAND" >&2
    exit 2
    ;;
esac
each '' "${INPUT_ARGUMENTS:-}"
if [ "$INPUT_COMMAND" = push ]; then
  arguments+=(--)
  each '' "${INPUT_FILES:-}"
fi

if command -v proofline >/dev/null; then
  exec proofline "$INPUT_COMMAND" "${arguments[@]}"
fi
exec npx --no-install proofline "$INPUT_COMMAND" "${arguments[@]}"
