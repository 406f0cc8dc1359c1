#!/usr/bin/env python3
"""Makes src/tenant/data/countries.tsv: the countries of ISO 3166 with their calling codes, from the PyPI package
phonenumbers (Apache-2.0), and puts its licence beside it.

    python3 -m venv .texthub/countries && .texthub/countries/bin/pip install phonenumbers==9.0.43
    .texthub/countries/bin/python scripts/countries.py
"""

import importlib.metadata
import pathlib

import phonenumbers
from phonenumbers.geodata.locale import LOCALE_DATA

DATA = pathlib.Path(__file__).resolve().parent.parent / "src" / "tenant" / "data"
# reserved for islands that are parts of a country which has a code of its own: no entries of ISO 3166
RESERVED = {"AC", "TA"}
# has a calling code and a user-assigned code of ISO 3166, and no name in the package
NAMED = {"XK": "Kosovo"}


def name(country: str) -> str:
    names = LOCALE_DATA[country]
    english = names["en"]
    # "*aa": as in the language aa
    return names[english[1:]] if english.startswith("*") else english


def main() -> None:
    package = importlib.metadata.distribution("phonenumbers")
    lines = [
        f"# Countries, made by scripts/countries.py from the PyPI package phonenumbers {package.version}; licence beside it.",
        "# ISO 3166 alpha-2\tcalling code\tname",
    ]
    for country in sorted(phonenumbers.SUPPORTED_REGIONS - RESERVED):
        code = phonenumbers.country_code_for_region(country)
        lines.append(f"{country}\t{code}\t{NAMED.get(country) or name(country)}")
    DATA.mkdir(parents=True, exist_ok=True)
    (DATA / "countries.tsv").write_text("\n".join(lines) + "\n")
    licence = next(f for f in package.files if f.name == "LICENSE")
    (DATA / "countries.LICENSE").write_text(licence.read_text())


if __name__ == "__main__":
    main()
