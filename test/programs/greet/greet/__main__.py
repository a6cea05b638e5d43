import sys

from greet.words import greeting


def main(args):
    if not args:
        print("usage: greet NAME...", file=sys.stderr)
        return 2
    for name in args:
        language, _, person = name.rpartition(":")
        print(f"{greeting(language or 'en', 12)}, {person}!")
    return 0


sys.exit(main(sys.argv[1:]))
