#!/bin/sh
# Runs the program as a user would; prints JUnit XML.
set -eu
program=$1
check() {
  if [ "$2" = "$3" ]; then echo "  <testcase name=\"$1\" classname=\"ring\"></testcase>"; else
    echo "  <testcase name=\"$1\" classname=\"ring\"><failure/></testcase>"
    failed=1
  fi
}
failed=0
echo '<testsuite name="ring integration">'
check 'a short text passes' "$(printf 'short' | "$program")" 'short'
check 'a text longer than the ring passes' "$(printf '0123456789abcdefghijklmnop' | "$program" -u)" '0123456789ABCDEFGHIJKLMNOP'
echo '</testsuite>'
exit $failed
