#!/usr/bin/env python3
"""Makes src/sms/data/gsm0338.tsv, the GSM 03.38 alphabet (3GPP TS 23.038), from the PyPI package gsm0338 (MIT),
and puts its licence beside it. Also makes tests/data/parts.json, golden parts by the PyPI package smsutil (MIT), an
implementation that is not ours.

    python3 -m venv .texthub/gsm0338 && .texthub/gsm0338/bin/pip install gsm0338==1.1.0 smsutil==1.1.3
    .texthub/gsm0338/bin/python scripts/gsm_alphabet.py
"""

import importlib.metadata
import json
import pathlib
import random
import unicodedata

import smsutil
from gsm0338.charset import BASIC_CHARACTER_SET, BASIC_CHARACTER_SET_EXTENSION

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "sms" / "data"
ESCAPE = 0x1B


def table() -> None:
    package = importlib.metadata.distribution("gsm0338")
    lines = [
        f"# GSM 03.38, made by scripts/gsm_alphabet.py from the PyPI package gsm0338 {package.version}; licence beside it.",
        "# table\tseptet\tcode point\tname",
    ]
    for word, rows in (("basic", BASIC_CHARACTER_SET), ("extension", BASIC_CHARACTER_SET_EXTENSION)):
        for septet, name in sorted(rows.items()):
            if word == "basic" and septet == ESCAPE:
                continue  # leads to the extension; no character of a text
            lines.append(f"{word}\t{septet:02X}\t{ord(unicodedata.lookup(name)):04X}\t{name}")
    DATA.mkdir(exist_ok=True)
    (DATA / "gsm0338.tsv").write_text("\n".join(lines) + "\n")
    licence = next(f for f in package.files if f.name.startswith("LICENSE"))
    (DATA / "gsm0338.LICENSE").write_text(licence.read_text())


def golden() -> None:
    chance = random.Random(338)
    basic = [unicodedata.lookup(n) for s, n in BASIC_CHARACTER_SET.items() if s != ESCAPE]
    extension = [unicodedata.lookup(n) for n in BASIC_CHARACTER_SET_EXTENSION.values()]
    foreign = list("çëő`’“”…–你好мир\t\u00a0") + ["😀", "👍🏽", "🇫🇷"]
    texts = ["a" * 152 + "€" + "a" * 152, "a" * 66 + "😀" + "a" * 66, "ç", "`", "Ç"]
    for limit in (160, 153, 306, 459, 70, 67, 134, 201):
        for length in (limit - 1, limit, limit + 1):
            texts += ["a" * length, "я" * length, "a" * (length - 2) + "€", "я" * (length - 2) + "😀"]
    for _ in range(120):
        pools = [basic, basic + extension, extension, basic + foreign, foreign]
        texts.append("".join(chance.choices(chance.choice(pools), k=chance.randrange(1, 400))))
    rows = []
    for text in texts:
        split = smsutil.split(text)
        encoding = "gsm7" if split.encoding == "gsm0338" else "ucs2"
        rows.append({"text": text, "encoding": encoding, "parts": [len(p.content) for p in split.parts]})
    target = ROOT / "tests" / "data" / "parts.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


if __name__ == "__main__":
    table()
    golden()
