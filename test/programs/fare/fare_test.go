package fare

import (
	"testing"

	"example.com/acme/fare/zone"
)

func TestUnitPrice(t *testing.T) {
	if cents, err := Price(1, 2, false); err != nil || cents != 150 {
		t.Fatal(cents, err)
	}
	if _, err := Price(2, 2, false); err != ErrNoJourney {
		t.Fatal(err)
	}
}

func TestIntegrationJourneys(t *testing.T) {
	var all []int
	for to := zone.Zone(2); to < 7; to++ {
		cents, err := Price(to, 1, true)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cents)
	}
	if best := Cheapest(all, func(p int) bool { return p > 100 }); best != 105 {
		t.Fatal(best, all)
	}
}
