"""Words of Danish addresses as DAWA's text search compares them: without accents, with abbreviations spelled out.

Belongs here: the folding of letters, the groups of words that stand for each other, trigrams.
"""

import re

_LETTERS = str.maketrans(
    {
        "ä": "a", "ó": "o", "ö": "o", "ü": "u", "é": "e", "è": "e", "ë": "e", "ÿ": "y", "x": "ks", "æ": "ae", "ø": "oe",
        "å": "aa",
    }
)  # fmt: skip

# Words of one group find each other. A word may be in several: "st" is store and sten.
_GROUPS = """
ager ageren|bakke bakken|bk bakker|borgmester borgm|boulevard boulevarden boulev|by byen|christian chr|den d
doktor dr dronning|dronning dronn|ejner ejnar|elm elmene|fald faldet|frederik fr|fjerritslev fjerritsl|gade gaden
gammel gl gamle|gyde gyden|have haven|haveforening hf haveforeninger haveforeningen havef|havn havnen|huse husene
johannes johs|kaer kaeret|kaptajn kpt|kirke kirken|klosteret klostret|kongens kgs|prinsesse prs|kresten kr|kristian kr
kvarter kvarteret kv|lille ll|mark marken|moelle moellen|mose mosen|nordre ndr noerre nr|oestre oe oester|park parken
plads pladsen|rasmus rs|sankt skt sct|skov skoven|soendre sdr soender|st sten stensen|sti stien|store st
straede straedet str|strand stranden|svend sv|sverige sverrig|thomas ths|toft toften|torv torvet|vaenge vaenget
valdemar vald|vang vangen|vestre v vester|vilhelm vilh|muller myller|mullers myllers|edvard edv|frits fritz
"""


def _by_word() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in re.split(r"[|\n]", _GROUPS.strip()):
        words = group.split()
        for word in words:
            found.setdefault(word, set()).update(words)
    return {word: frozenset(words) for word, words in found.items()}


_SYNONYMS = _by_word()


def words(text: str) -> list[str]:
    """The words and numbers of a text: lower case, å as aa, ø as oe, æ as ae, x as ks, other accents dropped."""
    return [word.translate(_LETTERS) for word in re.findall(r"[^\W_]+", text.lower())]


def found_by(word: str) -> frozenset[str]:
    """The words that find a (folded) word of an address: itself and what may stand for it."""
    return _SYNONYMS.get(word, frozenset((word,)))


def trigrams(text: str) -> frozenset[str]:
    """The sequences of three characters in the words of a text, two blanks before and one after each word."""
    return frozenset(
        padded[start : start + 3]
        for word in re.findall(r"[^\W_]+", text.lower())
        for padded in (f"  {word} ",)
        for start in range(len(padded) - 2)
    )
