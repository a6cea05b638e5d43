// Package zone knows how far apart zones are.
package zone

// Zone of the network, counted from the centre.
type Zone int

// Distance is how many zones a journey crosses.
func Distance(from, to Zone) int {
	if from > to {
		return int(from - to)
	}
	return int(to - from)
}
