#!/bin/sh
# Measures the programs beside this file with the tools that their users have, and writes what the tools say to test/fixtures.
# Needs gcc and lcov, clang with llvm-profdata and llvm-cov (LLVM= their suffix, -14 for example), go, ruby with simplecov and minitest, and in the
# folder TOOLS: node_modules with nyc 17, and venv with coverage 7 and pytest. Names of programs as arguments measure only these.
# What the tools write is kept as it is, but for two things: the folder of this checkout becomes /builds/acme/app, as in CI (LCOV of C
# and Python: nothing, a relative path), and times and host names leave the JUnit files, so that measuring twice gives the same bytes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/test/fixtures
tools=$(cd "${TOOLS:?the folder with the tools}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=$*
# lcov prints functions in the order of a Perl hash.
export PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0
PATH="$tools/node_modules/.bin:$tools/venv/bin:$PATH"
wanted() { [ -z "$programs" ] || case " $programs " in *" $1 "*) ;; *) return 1 ;; esac; }
plain() { sed -E 's/ (time|timestamp|hostname|file)="[^"]*"//g; s/<!-- duration_ms .*-->//; /^[[:space:]]*$/d' "$1"; }

# refund: JavaScript, nyc (Istanbul)
cd "$here/refund"
if wanted refund; then for kind in unit integration; do
  nyc --silent --temp-dir "$work/nyc-$kind" --exclude test node --test --test-reporter=junit --test-reporter-destination="$work/junit.xml" "test/$kind.js"
  nyc report --temp-dir "$work/nyc-$kind" --exclude test --reporter=json --reporter=lcovonly --report-dir "$work/$kind" >/dev/null
  mkdir -p "$out/refund/$kind"
  sed "s|$root/|/builds/acme/app/|g" "$work/$kind/coverage-final.json" >"$out/refund/$kind/coverage-final.json"
  sed "s|^SF:|SF:test/programs/refund/|" "$work/$kind/lcov.info" >"$out/refund/$kind/lcov.info"
  plain "$work/junit.xml" >"$out/refund/$kind/junit.xml"
done; fi

# ring: C, gcov and lcov
if wanted ring; then for kind in unit integration; do
  mkdir -p "$work/ring-$kind" "$out/ring/$kind"
  cd "$work/ring-$kind"
  if [ $kind = unit ]; then
    gcc --coverage -O0 -o unit "$here/ring/src/ring.c" "$here/ring/test/unit.c"
    ./unit >"$work/junit.xml"
  else
    gcc --coverage -O0 -o ring "$here/ring/src/ring.c" "$here/ring/src/main.c"
    "$here/ring/test/integration.sh" "$work/ring-$kind/ring" >"$work/junit.xml"
  fi
  lcov --quiet --capture --rc lcov_branch_coverage=1 --test-name "$kind" --directory . --output-file all.info
  lcov --quiet --rc lcov_branch_coverage=1 --extract all.info '*/ring/src/*' --output-file lcov.info
  sed "s|^SF:$root/|SF:|" lcov.info >"$out/ring/$kind/lcov.info"
  plain "$work/junit.xml" >"$out/ring/$kind/junit.xml"
done; fi

# ring again: C, clang and llvm-cov
llvm=${LLVM:-}
if wanted ring-llvm; then for kind in unit integration; do
  mkdir -p "$work/llvm-$kind" "$out/ring/$kind"
  cd "$work/llvm-$kind"
  if [ $kind = unit ]; then set -- "$here/ring/test/unit.c"; else set -- "$here/ring/src/main.c"; fi
  "clang$llvm" -O0 -fprofile-instr-generate -fcoverage-mapping -o ring "$here/ring/src/ring.c" "$@"
  export LLVM_PROFILE_FILE="$work/llvm-$kind/%p.profraw"
  if [ $kind = unit ]; then ./ring >/dev/null; else "$here/ring/test/integration.sh" "$work/llvm-$kind/ring" >/dev/null; fi
  "llvm-profdata$llvm" merge -o all.profdata ./*.profraw
  "llvm-cov$llvm" export ring -instr-profile all.profdata "$here/ring/src" | sed "s|$root/|/builds/acme/app/|g" >"$out/ring/$kind/llvm-cov.json"
  "llvm-cov$llvm" export ring -instr-profile all.profdata -format=lcov "$here/ring/src" | sed "s|^SF:$root/|SF:/builds/acme/app/|" >"$out/ring/$kind/llvm-cov.info"
done; fi

# greet: Python, coverage.py
if wanted greet; then for kind in unit integration; do
  mkdir -p "$out/greet/$kind"
  rm -rf "$work/greet"
  cp -r "$here/greet" "$work/greet"
  cd "$work/greet"
  coverage run --branch -p --source=greet -m pytest -q -p no:cacheprovider --junitxml="$work/junit.xml" "test/test_$kind.py" >/dev/null
  coverage combine -q
  coverage lcov -q --omit='test/*' -o "$work/greet.info"
  sed "s|^SF:|SF:test/programs/greet/|" "$work/greet.info" >"$out/greet/$kind/lcov.info"
  coverage json -q --show-contexts --omit='test/*' -o "$work/greet.json"
  sed 's|"greet/|"test/programs/greet/greet/|g; s|"timestamp": "[^"]*"|"timestamp": "2026-11-28T02:00:00.000000"|' "$work/greet.json" >"$out/greet/$kind/coverage.json"
  plain "$work/junit.xml" >"$out/greet/$kind/junit.xml"
done; fi

# fare: Go
if wanted fare; then for kind in unit integration; do
  mkdir -p "$out/fare/$kind"
  cd "$here/fare"
  case $kind in unit) tests=Unit ;; *) tests=Integration ;; esac
  go test -count=1 -run "$tests" -covermode=count -coverpkg=./... -coverprofile="$out/fare/$kind/cover.out" ./... >/dev/null
  go tool cover -func="$out/fare/$kind/cover.out" >"$out/fare/$kind/func.txt"
done; fi

# stamp: Ruby, SimpleCov; both suites write into one file
if wanted stamp; then
  mkdir -p "$out/stamp"
  cd "$here/stamp"
  STAMP_COVERAGE="$work/stamp"; export STAMP_COVERAGE
  ruby test/unit.rb >/dev/null
  ruby test/integration.rb >/dev/null
  sed -E "s|$root/|/builds/acme/app/|g; s/\"timestamp\": [0-9]+/\"timestamp\": 0/" "$work/stamp/.resultset.json" >"$out/stamp/resultset.json"
  cp "$work/stamp/.last_run.json" "$out/stamp/last_run.json"
fi
