package acme.till;

import java.util.ArrayList;
import java.util.List;

/** What a customer buys: prices in cents. */
public final class Cart {
  private final List<Integer> prices = new ArrayList<>();

  public Cart add(int cents) {
    if (cents < 0) throw new IllegalArgumentException("a price of " + cents);
    prices.add(cents);
    return this;
  }

  public int total(boolean isMember) {
    int sum = 0;
    for (int price : prices) sum += price;
    return isMember && sum > 10_000 ? sum - sum / 20 : sum;
  }

  public boolean isEmpty() {
    return prices.isEmpty();
  }
}
