#!/bin/sh
# Measures the programs beside this file with the tools that their users have, and writes what the tools say to test/fixtures.
# Needs gcc and lcov, clang with llvm-profdata and llvm-cov (LLVM= their suffix, -14 for example), go, a JDK and Maven, ruby with simplecov and minitest,
# and in the folder TOOLS: node_modules with nyc 17, @stryker-mutator/core and tap-runner 9; venv with coverage 7, gcovr 8 and pytest; jacoco
# with org.jacoco.agent-*-runtime.jar and org.jacoco.cli-*-nodeps.jar; clover with clover-*.jar (org.openclover:clover). Names of programs as arguments measure
# only these.
# What the tools write is kept as it is, but for two things: the folder of this checkout becomes /builds/acme/app, as in CI (LCOV of C
# and Python: nothing, a relative path), and times and host names leave the JUnit files and become 0 in XML, so that measuring twice gives
# the same bytes.
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
xml() { sed -E 's/ (timestamp|generated|start|dump)="[0-9]+"/ \1="0"/g' "$1" | sed "s|$root|/builds/acme/app|g"; }
wanted() { [ -z "$programs" ] || case " $programs " in *" $1 "*) ;; *) return 1 ;; esac; }
plain() { sed -E 's/ (time|timestamp|hostname|file)="[^"]*"//g; s/<!-- duration_ms .*-->//; /^[[:space:]]*$/d' "$1"; }

# refund: JavaScript, nyc (Istanbul)
cd "$here/refund"
if wanted refund; then for kind in unit integration; do
  nyc --silent --temp-dir "$work/nyc-$kind" --exclude test node --test --test-reporter=junit --test-reporter-destination="$work/junit.xml" "test/$kind.js"
  nyc report --temp-dir "$work/nyc-$kind" --exclude test --reporter=json --reporter=lcovonly --reporter=clover --reporter=cobertura --report-dir "$work/$kind" >/dev/null
  mkdir -p "$out/refund/$kind"
  sed "s|$root/|/builds/acme/app/|g" "$work/$kind/coverage-final.json" >"$out/refund/$kind/coverage-final.json"
  sed "s|^SF:|SF:test/programs/refund/|" "$work/$kind/lcov.info" >"$out/refund/$kind/lcov.info"
  for report in clover.xml cobertura-coverage.xml; do xml "$work/$kind/$report" >"$out/refund/$kind/$report"; done
  plain "$work/junit.xml" >"$out/refund/$kind/junit.xml"
done; fi

# refund: its mutants, StrykerJS. In a copy, for the sandbox is made beside the sources
if wanted refund-mutants; then
mkdir -p "$work/app/test/programs"
cp -r "$here/refund" "$work/app/test/programs"
ln -s "$tools/node_modules" "$work/app/node_modules"
cd "$work/app"
echo '{"name":"app","private":true,"type":"commonjs"}' >package.json
cat >stryker.config.json <<'END'
{"testRunner":"tap","tap":{"testFiles":["test/programs/refund/test/unit.js"]},"reporters":["json"],"mutate":["test/programs/refund/src/*.js"],
 "jsonReporter":{"fileName":"mutation.json"},"plugins":["@stryker-mutator/tap-runner"],"concurrency":1}
END
stryker run >/dev/null
sed "s|$work/app|/builds/acme/app|g" mutation.json >"$out/refund/unit/mutation.json"
fi

# fee: Java and its mutants, PIT
if wanted fee; then
mkdir -p "$out/fee/unit"
cp -r "$here/fee" "$work/fee"
cd "$work/fee"
mvn -q -B test-compile org.pitest:pitest-maven:mutationCoverage >/dev/null
cp target/pit-reports/mutations.xml "$out/fee/unit/mutations.xml"
fi

# ring: C, gcov by lcov and by gcovr, whose JaCoCo does not say which lines ran
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
  gcovr --root "$root" --filter "$here/ring/src/" --cobertura cobertura.xml --jacoco jacoco.xml . 2>/dev/null
  xml cobertura.xml >"$out/ring/$kind/cobertura.xml"
  plain "$work/junit.xml" >"$out/ring/$kind/junit.xml"
done; xml jacoco.xml >"$out/ring/integration/jacoco-gcovr.xml"; fi

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
  coverage xml -q --omit='test/*' -o "$work/greet.xml"
  xml "$work/greet.xml" | sed "s|$work/greet|/builds/acme/app/test/programs/greet|g" >"$out/greet/$kind/coverage.xml"
  coverage json -q --show-contexts --omit='test/*' -o "$work/greet.json"
  sed 's|"greet/|"test/programs/greet/greet/|g; s|"timestamp": "[^"]*"|"timestamp": "2026-11-28T02:00:00.000000"|' "$work/greet.json" >"$out/greet/$kind/coverage.json"
  plain "$work/junit.xml" >"$out/greet/$kind/junit.xml"
done; fi

# till: Java, JaCoCo as an agent, OpenClover by instrumented sources
main="$here/till/src/main/java"
clover=$(echo "$tools"/clover/clover-*.jar)
agent=$(echo "$tools"/jacoco/org.jacoco.agent-*-runtime.jar)
run() { # kind, classes, java options
  if [ "$1" = unit ]; then
    javac -cp "$2" -d "$2" "$here"/till/src/test/java/acme/till/*.java
    java $3 -cp "$2:$clover" acme.till.UnitTest
  else
    java $3 -cp "$2:$clover" acme.till.Main 500 700
  fi
}
if wanted till; then for kind in unit integration; do
  mkdir -p "$out/till/$kind"
  javac -g -d "$work/jacoco-$kind" "$main"/acme/till/*.java
  cp -r "$work/jacoco-$kind" "$work/measured-$kind"
  run $kind "$work/measured-$kind" "-javaagent:$agent=destfile=$work/$kind.exec,includes=acme.*,sessionid=$kind" >/dev/null
  java -jar "$tools"/jacoco/org.jacoco.cli-*-nodeps.jar report "$work/$kind.exec" --classfiles "$work/jacoco-$kind" --sourcefiles "$main" \
    --name till --xml "$work/jacoco.xml" >/dev/null
  xml "$work/jacoco.xml" >"$out/till/$kind/jacoco.xml"
  java -cp "$clover" com.atlassian.clover.CloverInstr -i "$work/clover-$kind/db" -d "$work/clover-$kind/src" "$main"/acme/till/*.java >/dev/null
  javac -cp "$clover" -d "$work/clover-$kind/classes" "$work/clover-$kind"/src/acme/till/*.java
  run $kind "$work/clover-$kind/classes" "" >/dev/null
  java -cp "$clover" com.atlassian.clover.reporters.xml.XMLReporter -i "$work/clover-$kind/db" -l -o "$work/clover.xml" >/dev/null
  xml "$work/clover.xml" >"$out/till/$kind/clover.xml"
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
