#!/usr/bin/env python3
"""Makes src/sms/number/data/ from the PyPI package phonenumbers (Apache-2.0), and puts its licence beside it:
emergency.tsv (emergency numbers by country), zones.tsv (time zones by prefix), areas.tsv (US states by area code).

    .texthub/venv/bin/python -m pip install -r scripts/numbers/requirements.txt
    .texthub/venv/bin/python scripts/numbers/data.py
"""

import importlib.metadata
import itertools
import pathlib
import warnings

import phonenumbers
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.phonemetadata import PhoneMetadata
from phonenumbers.tzdata import TIMEZONE_DATA

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import sre_parse

DATA = pathlib.Path(__file__).resolve().parents[2] / "src" / "sms" / "number" / "data"
PACKAGE = importlib.metadata.distribution("phonenumbers")
MADE = f"made by scripts/numbers/data.py from the PyPI package phonenumbers {PACKAGE.version}; licence beside it."
STATES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI", "Idaho": "ID",
    "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME",
    "Maryland": "MD", "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS", "Missouri": "MO",
    "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM",
    "New York": "NY", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR",
    "Pennsylvania": "PA", "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA", "Washington": "WA",
    "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY", "Washington D.C.": "DC", "District of Columbia": "DC",
}
CODES = set(STATES.values())


def expand(pattern: str) -> list[str]:
    """Every string that a pattern of digits matches; patterns of emergency numbers match few."""

    def one(operation, argument) -> list[str]:
        name = str(operation)
        if name == "LITERAL":
            return [chr(argument)]
        if name == "IN":
            return [text for inner in argument for text in one(*inner)]
        if name == "RANGE":
            return [chr(code) for code in range(argument[0], argument[1] + 1)]
        if name == "CATEGORY":
            return list("0123456789")
        if name == "BRANCH":
            return [text for branch in argument[1] for text in many(branch)]
        if name == "SUBPATTERN":
            return many(argument[3])
        if name == "MAX_REPEAT":
            least, most, inner = argument
            texts = many(inner)
            return ["".join(t) for n in range(least, most + 1) for t in itertools.product(texts, repeat=n)]
        raise ValueError(f"{name} in {pattern}")

    def many(items) -> list[str]:
        found = [""]
        for operation, argument in items:
            found = [head + tail for head in found for tail in one(operation, argument)]
        return found

    return sorted(set(many(sre_parse.parse(pattern))))


def emergency() -> list[str]:
    lines = [f"# Emergency numbers, {MADE}", "# country\tnumbers"]
    for country in sorted(phonenumbers.SUPPORTED_SHORT_REGIONS):
        described = PhoneMetadata.short_metadata_for_region(country).emergency
        if described is not None and described.national_number_pattern:
            numbers = [n for n in expand(described.national_number_pattern) if len(n) in described.possible_length]
            lines.append(f"{country}\t{','.join(numbers)}")
    return lines


def zones() -> list[str]:
    lines = [f"# Time zones by the first digits of E.164 numbers, {MADE}", "# digits\tzones"]
    # a prefix says nothing that the next shorter one does not say already
    for prefix in sorted(TIMEZONE_DATA):
        shorter = next((prefix[:n] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in TIMEZONE_DATA), None)
        if shorter is None or TIMEZONE_DATA[shorter] != TIMEZONE_DATA[prefix]:
            lines.append(f"{prefix}\t{','.join(TIMEZONE_DATA[prefix])}")
    return lines


def state_of(place: str) -> str | None:
    last = place.rpartition(", ")[2]
    return last if last in CODES else STATES.get(place)


def areas() -> list[str]:
    """The states of the places that an area code has; of one with places in two, both."""
    found: dict[str, set[str]] = {}
    for prefix, names in GEOCODE_DATA.items():
        state = state_of(names.get("en", "")) if prefix.startswith("1") and len(prefix) >= 4 else None
        if state:
            found.setdefault(prefix[1:4], set()).add(state)
    lines = [f"# US states by area code, {MADE}", "# area code\tstates"]
    lines += [f"{area}\t{','.join(sorted(states))}" for area, states in sorted(found.items())]
    return lines


def main() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    for name, lines in {"emergency": emergency(), "zones": zones(), "areas": areas()}.items():
        (DATA / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    licence = next(f for f in PACKAGE.files if f.name == "LICENSE")
    (DATA / "phonenumbers.LICENSE").write_text(licence.read_text())


if __name__ == "__main__":
    main()
