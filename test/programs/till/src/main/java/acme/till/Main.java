package acme.till;

public final class Main {
  public static void main(String[] args) {
    Cart cart = new Cart();
    boolean isMember = false;
    for (String arg : args) {
      if (arg.equals("--member")) isMember = true;
      else cart.add(Integer.parseInt(arg));
    }
    if (cart.isEmpty()) {
      System.err.println("usage: till [--member] CENTS...");
      System.exit(2);
    }
    System.out.println(cart.total(isMember));
  }
}
