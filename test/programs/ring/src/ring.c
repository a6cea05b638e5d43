#include "ring.h"

/* 0 when it was stored, -1 when the ring is full. */
int ring_put(struct ring *ring, unsigned char byte) {
  if (ring->used == sizeof ring->bytes)
    return -1;
  ring->bytes[(ring->head + ring->used) % sizeof ring->bytes] = byte;
  ring->used++;
  return 0;
}

/* The oldest byte, or -1 when there is none. */
int ring_get(struct ring *ring) {
  if (ring->used == 0)
    return -1;
  int byte = ring->bytes[ring->head];
  ring->head = (ring->head + 1) % sizeof ring->bytes;
  ring->used--;
  return byte;
}
