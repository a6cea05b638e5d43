#ifndef RING_H
#define RING_H
#include <stddef.h>

/* A ring of bytes of fixed capacity. */
struct ring {
  unsigned char bytes[16];
  size_t head, used;
};

int ring_put(struct ring *ring, unsigned char byte);
int ring_get(struct ring *ring);
#endif
