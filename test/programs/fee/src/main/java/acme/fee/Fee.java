package acme.fee;

/** What a transfer costs: nothing below 10, then one in a hundred, at least 1 and at most 25; the night costs 2 more. */
final class Fee {
  private Fee() {}

  static int of(int amount, int hour) {
    if (amount < 10) {
      return 0;
    }
    int fee = amount / 100;
    if (fee < 1) {
      fee = 1;
    }
    return Math.min(fee, 25) + night(hour);
  }

  private static int night(int hour) {
    return hour < 6 || hour >= 22 ? 2 : 0;
  }
}
