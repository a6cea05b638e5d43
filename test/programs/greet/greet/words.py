GREETINGS = {"en": "Hello", "de": "Hallo", "fr": "Bonjour"}


def greeting(language, hour):
    word = GREETINGS.get(language)
    if word is None:
        raise KeyError(language)
    if language == "de" and hour < 11:
        return "Guten Morgen"
    return word
