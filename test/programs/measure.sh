#!/bin/sh
# Measures the programs beside this file with the tools that their users have, and writes what the tools say to test/fixtures.
# Needs gcc and lcov, and in the folder TOOLS: node_modules with nyc 17, and venv with coverage 7 and pytest.
# What the tools write is kept as it is, but for two things: the folder of this checkout becomes /builds/acme/app, as in CI (LCOV of C
# and Python: nothing, a relative path), and times and host names leave the JUnit files, so that measuring twice gives the same bytes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/test/fixtures
tools=$(cd "${TOOLS:?the folder with the tools}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# lcov prints functions in the order of a Perl hash.
export PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0
PATH="$tools/node_modules/.bin:$tools/venv/bin:$PATH"
plain() { sed -E 's/ (time|timestamp|hostname|file)="[^"]*"//g; s/<!-- duration_ms .*-->//; /^[[:space:]]*$/d' "$1"; }

# refund: JavaScript, nyc (Istanbul)
cd "$here/refund"
for kind in unit integration; do
  nyc --silent --temp-dir "$work/nyc-$kind" --exclude test node --test --test-reporter=junit --test-reporter-destination="$work/junit.xml" "test/$kind.js"
  nyc report --temp-dir "$work/nyc-$kind" --exclude test --reporter=json --reporter=lcovonly --report-dir "$work/$kind" >/dev/null
  mkdir -p "$out/refund/$kind"
  sed "s|$root/|/builds/acme/app/|g" "$work/$kind/coverage-final.json" >"$out/refund/$kind/coverage-final.json"
  sed "s|^SF:|SF:test/programs/refund/|" "$work/$kind/lcov.info" >"$out/refund/$kind/lcov.info"
  plain "$work/junit.xml" >"$out/refund/$kind/junit.xml"
done

# ring: C, gcov and lcov
for kind in unit integration; do
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
done

# greet: Python, coverage.py
for kind in unit integration; do
  mkdir -p "$out/greet/$kind"
  rm -rf "$work/greet"
  cp -r "$here/greet" "$work/greet"
  cd "$work/greet"
  coverage run --branch -p --source=greet -m pytest -q -p no:cacheprovider --junitxml="$work/junit.xml" "test/test_$kind.py" >/dev/null
  coverage combine -q
  coverage lcov -q --omit='test/*' -o "$work/greet.info"
  sed "s|^SF:|SF:test/programs/greet/|" "$work/greet.info" >"$out/greet/$kind/lcov.info"
  plain "$work/junit.xml" >"$out/greet/$kind/junit.xml"
done
