#include "ring.h"
#include <stdio.h>
#include <string.h>

/* Copies standard input to standard output through the ring; -u makes letters upper case. */
int main(int argc, char **argv) {
  struct ring ring = {0};
  int upper = 0;
  if (argc > 2 || (argc == 2 && strcmp(argv[1], "-u") != 0)) {
    fprintf(stderr, "usage: ring [-u]\n");
    return 2;
  }
  upper = argc == 2;
  for (int byte = getchar();; byte = getchar()) {
    int isEnd = byte == EOF;
    if (isEnd || ring_put(&ring, (unsigned char)byte) != 0) {
      for (int out = ring_get(&ring); out >= 0; out = ring_get(&ring))
        putchar(upper && out >= 'a' && out <= 'z' ? out - 'a' + 'A' : out);
      if (isEnd)
        return 0;
      ring_put(&ring, (unsigned char)byte);
    }
  }
}
