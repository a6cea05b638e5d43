import pytest

from greet.words import greeting


def test_a_greeting_is_in_its_language():
    assert greeting("fr", 12) == "Bonjour"


def test_german_mornings_are_greeted():
    assert greeting("de", 8) == "Guten Morgen"


def test_an_unknown_language_is_an_error():
    with pytest.raises(KeyError):
        greeting("xx", 12)
