import { describe, expect, it } from 'vitest'
import { type ConsumerRow, type Sighting, joinSightings, settleSighting } from '../../src/answers/consumer-places.ts'

const sighting = (at: number, next: number, generation = 1): Sighting => ({
  ledger: 'main/unit',
  consumer: 'siem',
  generation,
  next,
  by: 'token:a',
  seenAt: at,
  first: { generation, next, at },
  movedAt: undefined,
  rewound: undefined,
})
const together = (...list: Sighting[]): Sighting => list.reduce<Sighting | undefined>(joinSightings, undefined)!
const row = (at: number, next: number, more: Partial<ConsumerRow> = {}): ConsumerRow => ({
  ledger: 'main/unit',
  consumer: 'siem',
  generation: 1,
  next,
  by: 'token:a',
  seenAt: at,
  movedAt: at,
  rewound: undefined,
  ...more,
})

describe('what is seen of a puller between two writes', () => {
  it('is where it was last, when it moved last, and where it began', () => {
    const seen = together(sighting(1, 0), sighting(2, 100), sighting(3, 200), sighting(4, 200))
    expect(seen).toMatchObject({ next: 200, seenAt: 4, movedAt: 3, rewound: undefined, first: { next: 0, at: 1 } })
  })

  it('says that it went back, though it has caught up since', () => {
    const seen = together(sighting(1, 500), sighting(2, 100), sighting(3, 900))
    expect(seen).toMatchObject({ next: 900, rewound: { at: 2, from: 500, to: 100 } })
  })

  it('is no going back from one generation of the ledger to the next', () => {
    expect(together(sighting(1, 500), sighting(2, 0, 2)).rewound).toBeUndefined()
    expect(together(sighting(1, 0, 2), sighting(2, 500)).rewound).toEqual({ at: 2, from: 0, to: 500 })
  })

  it('says the same however it is cut into pieces', () => {
    const all = [sighting(1, 7), sighting(2, 3), sighting(3, 3), sighting(4, 9), sighting(5, 9)]
    for (let cut = 1; cut < all.length; cut++)
      expect(joinSightings(together(...all.slice(0, cut)), together(...all.slice(cut)))).toEqual(together(...all))
  })
})

describe('what is written down', () => {
  it('of a new one is what was seen', () => {
    expect(settleSighting(undefined, together(sighting(1, 0), sighting(2, 5)))).toEqual(row(2, 5))
  })

  it('keeps the time of the last move while it stands still', () => {
    expect(settleSighting(row(5, 7, { movedAt: 3 }), sighting(9, 7))).toEqual(row(9, 7, { movedAt: 3 }))
  })

  it('says that it went back behind what is written, as after a restart of the service', () => {
    const rewound = { at: 9, from: 70, to: 7 }
    expect(settleSighting(row(5, 70), sighting(9, 7))).toEqual(row(9, 7, { rewound }))
    expect(settleSighting(row(9, 7, { rewound }), sighting(12, 8))).toMatchObject({ next: 8, rewound })
  })

  it('is the later one of two processes, and nothing is made of the order that neither knows', () => {
    const here = together(sighting(10, 100), sighting(13, 500))
    const there = together(sighting(11, 120), sighting(12, 480))
    expect(settleSighting(settleSighting(undefined, here), there)).toBeUndefined()
    expect(settleSighting(settleSighting(undefined, there), here)).toEqual(row(13, 500))
  })
})
