"""Texts for the comparison of parts: our own sentences, those of a corpus where one is named, and generated ones, the same
for the same seed: of every alphabet, with what must not be cut, and most of them about as long as a limit."""

import os
import pathlib
import random
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]

BASIC = [
    chr(int(columns[2], 16))
    for columns in (line.split("\t") for line in (ROOT / "src/sms/data/gsm0338.tsv").read_text().splitlines())
    if columns[0] == "basic"
]
EXTENSION = list("^{}\\[~]|€\f")
LOOKALIKES = list("’‘“”–—…•`´\u00a0\u200b\u2009ç\t")
LETTERS = list("дежзийкλμνξאבגקרשعربيةไทยกขค漢字假名かなカナ한국어ëőœß")
MARKS = ["e\u0301", "a\u0308\u0323", "n\u0303", "नमी", "कि", "กำ", "é", "각"]
EMOJI = list("😀😂🙏🥣🐻🎉🔥❤✨☂")
CLUSTERS = ["👍🏽", "🇫🇷", "🇩🇪🇦🇹", "👨‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "1️⃣", "👩🏿‍🚀", "🤷🏻‍♀️", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "\u200d", "\ufe0f"]
ESCAPE = "\x1b"
PILE = "e" + "\u0301" * 70
LINES = ["\n", "\r", "\r\n"]
# what none of the others has, so that nothing is left out
ASSIGNED = [point for point in range(0x20, 0x3000) if unicodedata.name(chr(point), "")]
STRANGE = [0x1B, 0, 0x7F, 0x80, 0xFEFF, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF, 0xD7FF, 0xE000]
LENGTHS = [70, 67, 134, 201, 160, 153, 306, 459]
POOLS = [
    BASIC, BASIC + EXTENSION, EXTENSION, BASIC + [ESCAPE], BASIC + LINES, BASIC + LOOKALIKES,
    LETTERS, LETTERS + BASIC, LETTERS + EMOJI, LETTERS + [PILE],
    EMOJI + BASIC, LETTERS + MARKS, CLUSTERS, CLUSTERS + BASIC, CLUSTERS + LETTERS + MARKS + EMOJI + LINES,
]  # fmt: skip


def own() -> list[str]:
    sentences = [line for line in (ROOT / "examples/texts.txt").read_text().splitlines() if line]
    return ["", *sentences, *(" ".join(sentences[at : at + 4]) for at in range(len(sentences)))]


def corpus() -> list[str]:
    folder = os.environ.get("TEXTHUB_CORPUS")
    if not folder:
        return []
    lines = (pathlib.Path(folder) / "uci-sms-spam.tsv").read_text(encoding="utf-8").split("\n")[1:]
    return [line.split("\t", 1)[1] for line in lines if line]


def generated(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    words = [word for sentence in own() for word in sentence.split()]
    return [one(chance, words) for _ in range(count)]


def one(chance: random.Random, words: list[str]) -> str:
    kind = chance.random()
    if kind < 0.3:
        return " ".join(chance.choices(words, k=chance.randrange(1, 13)))
    if kind < 0.35:
        points = (chance.choice(STRANGE if chance.random() < 0.1 else ASSIGNED) for _ in range(chance.randrange(1, 100)))
        return "".join(map(chr, points))
    pool = chance.choice(POOLS)
    if kind < 0.9:
        return "".join(chance.choices(pool, k=chance.randrange(1, 40)))
    # about as long as a limit, mostly of one piece, with others where the cuts are
    piece = chance.choice(pool[:5])
    length = (chance.choice(LENGTHS) + chance.randrange(-3, 4)) // len(piece)
    text = [piece] * length
    for limit in (67, 70, 134, 153, 160, 306):
        for at in range(max(0, limit // len(piece) - 4), min(length, limit // len(piece) + 2)):
            text[at] = chance.choice(pool)
    return "".join(text)
