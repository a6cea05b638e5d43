package acme.fee;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class FeeTest {
  @Test
  void littleIsFree() {
    assertEquals(0, Fee.of(9, 12));
  }

  @Test
  void theLeastIsOne() {
    assertEquals(1, Fee.of(50, 12));
  }

  @Test
  void oneInAHundred() {
    assertEquals(7, Fee.of(700, 12));
  }

  @Test
  void atNightItCostsMore() {
    assertEquals(9, Fee.of(700, 3));
  }

  @Test
  void entriesAddUp() {
    Ledger ledger = new Ledger();
    ledger.add(100, 12);
    ledger.add(5, 12);
    assertEquals(106, ledger.total());
  }
}
