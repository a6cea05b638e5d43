package zone

import "testing"

func TestUnitDistance(t *testing.T) {
	if Distance(1, 3) != 2 || Distance(3, 1) != 2 {
		t.Fatal("it is not the same in both directions")
	}
}
