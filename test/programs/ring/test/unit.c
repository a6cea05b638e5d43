#include "../src/ring.h"
#include <stdio.h>

static int tests, failures;

static void check(int holds, const char *name) {
  tests++;
  if (!holds)
    failures++;
  printf("  <testcase name=\"%s\" classname=\"ring\">%s</testcase>\n", name, holds ? "" : "<failure/>");
}

/* Prints JUnit XML. */
int main(void) {
  struct ring ring = {0};
  printf("<testsuite name=\"ring unit\">\n");
  check(ring_get(&ring) == -1, "an empty ring gives nothing");
  check(ring_put(&ring, 7) == 0 && ring_get(&ring) == 7, "what was put is got");
  for (int i = 0; i < 16; i++)
    ring_put(&ring, (unsigned char)i);
  check(ring_put(&ring, 1) == -1, "a full ring takes nothing");
  check(ring_get(&ring) == 0, "the oldest comes first");
  printf("</testsuite>\n");
  return failures != 0;
}
