// Package fare says what a journey costs.
package fare

import (
	"errors"

	"example.com/acme/fare/zone"
)

// ErrNoJourney is returned for a journey from a zone to itself with no ticket to use up.
var ErrNoJourney = errors.New("no journey")

// Price of a single journey, in cents.
func Price(from, to zone.Zone, isChild bool) (int, error) {
	crossed := zone.Distance(from, to)
	if crossed == 0 {
		return 0, ErrNoJourney
	}
	cents := 150 + 60*(crossed-1)
	if isChild { cents /= 2 }
	switch {
	case crossed > 4:
		cents -= 50
	case crossed == 4 && !isChild: cents -= 20
	}
	return cents, nil
}

// Cheapest of several tickets; a function value in the middle of a statement.
func Cheapest(prices []int, ok func(int) bool) int {
	best := -1
	each(prices, func(p int) {
		if ok(p) && (best < 0 || p < best) {
			best = p
		}
	})
	return best
}

func each(prices []int, do func(int)) {
	for _, p := range prices {
		do(p)
	}
}

func neverCalled() string {
	return "nobody"
}
