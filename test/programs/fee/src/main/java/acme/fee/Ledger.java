package acme.fee;

import java.util.ArrayList;
import java.util.List;

final class Ledger {
  private final List<Integer> entries = new ArrayList<>();

  void add(int amount, int hour) {
    entries.add(amount + Fee.of(amount, hour));
  }

  int total() {
    int sum = 0;
    for (int entry : entries) {
      sum += entry;
    }
    return sum;
  }

  static final class Page {
    static int count(int entries, int size) {
      return (entries + size - 1) / size;
    }
  }
}
