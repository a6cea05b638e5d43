package acme.till;

public final class UnitTest {
  public static void main(String[] args) {
    expect(new Cart().add(700).add(300).total(false), 1_000);
    expect(new Cart().add(20_000).total(true), 19_000);
    expect(new Cart().add(20_000).total(false), 20_000);
    try {
      new Cart().add(-1);
      throw new AssertionError("a negative price was taken");
    } catch (IllegalArgumentException expected) {
      System.out.println("ok");
    }
  }

  private static void expect(int actual, int expected) {
    if (actual != expected) throw new AssertionError(actual + " instead of " + expected);
  }
}
