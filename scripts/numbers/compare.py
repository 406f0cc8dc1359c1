#!/usr/bin/env python3
"""Compares `texthub sms number` with a foreign judge, the PyPI package phonenumbers, on generated numbers: the example of
every country and type, random variants of each that are valid, the same as they are written at home, and wrong ones. E.164
form, length, validity, country and kind must be the same, but for the differences that docs/numbers.md lists; any other
fails. The program is asked once for all numbers.

    compare.py TEXTHUB [--variants 12] [--wrong 20000] [--seed 164]
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

KINDS = {
    PhoneNumberType.FIXED_LINE: "fixed", PhoneNumberType.MOBILE: "mobile", PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free", PhoneNumberType.PREMIUM_RATE: "premium", PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip", PhoneNumberType.PERSONAL_NUMBER: "personal", PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company", PhoneNumberType.VOICEMAIL: "voicemail", PhoneNumberType.UNKNOWN: "unknown",
}  # fmt: skip
FIELDS = ("e164", "is_possible", "is_valid", "country", "kind")
Asked = tuple[str, str | None]


def examples() -> Iterator[phonenumbers.PhoneNumber]:
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in KINDS:
            if number := phonenumbers.example_number_for_type(country, kind):
                yield number
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        if number := phonenumbers.example_number_for_non_geo_entity(code):
            yield number


def variants(example: phonenumbers.PhoneNumber, count: int, chance: random.Random) -> Iterator[phonenumbers.PhoneNumber]:
    """Other valid numbers: the last digits of an example by chance, as many as it takes to find some."""
    national = phonenumbers.national_significant_number(example)
    found = set()
    for _ in range(count * 8):
        if len(found) == count:
            break
        cut = chance.randint(1, len(national) - 1)
        digits = national[:cut] + "".join(chance.choice("0123456789") for _ in national[cut:])
        try:
            number = phonenumbers.parse(f"+{example.country_code}{digits}", None)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) and digits not in found:
            found.add(digits)
            yield number


def wrong(count: int, right: list[str], chance: random.Random) -> Iterator[str]:
    """Digits by chance, and right numbers with a digit more, less or changed; each with `+`."""
    for _ in range(count):
        digits = chance.choice(right)[1:]
        at = chance.randrange(len(digits))
        match chance.randrange(4):
            case 0:
                digits = "".join(chance.choice("0123456789") for _ in range(chance.randint(7, 15)))
            case 1:
                digits = digits[:at] + digits[at + 1 :]
            case 2:
                digits = digits[:at] + chance.choice("0123456789") + digits[at:]
            case _:
                digits = digits[:at] + chance.choice("0123456789") + digits[at + 1 :]
        if len(digits) > 5:
            yield f"+{digits}"


def generated(asked: argparse.Namespace) -> dict[str, list[Asked]]:
    chance = random.Random(asked.seed)
    first = list(examples())
    others = [number for example in first for number in variants(example, asked.variants, chance)]
    right = [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in [*first, *others]]
    home = []
    for number in [*first, *others]:
        country = phonenumbers.region_code_for_number(number)
        written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        # short ones are short codes with us, whatever the country
        if country in phonenumbers.SUPPORTED_REGIONS and not (written.isdigit() and len(written) <= 8):
            home.append((written, country))
    return {
        "examples": [(number, None) for number in right[: len(first)]],
        "variants": [(number, None) for number in right[len(first) :]],
        "with the wrong country": [(number, "US") for number in right],
        "as written at home": home,
        "wrong": [(number, None) for number in wrong(asked.wrong, right, chance)],
    }


def judge(asked: Asked) -> dict:
    text, country = asked
    try:
        # the country of a number with + is none of its reader's business
        number = phonenumbers.parse(text, None if text.startswith("+") else country)
    except phonenumbers.NumberParseException:
        return dict.fromkeys(FIELDS)
    return {
        "e164": phonenumbers.format_number(number, PhoneNumberFormat.E164),
        "is_possible": phonenumbers.is_possible_number(number),
        "is_valid": phonenumbers.is_valid_number(number),
        "country": phonenumbers.region_code_for_number(number),
        "kind": KINDS[phonenumbers.number_type(number)],
    }


def kind_of_difference(asked: Asked, ours: dict, theirs: dict, known: set[tuple[str, str]]) -> str:
    differ = [field for field in FIELDS if ours.get(field) != theirs[field]]
    if not differ:
        return ""
    prefixes = [prefix for prefix, fields in known if (theirs["e164"] or asked[0]).startswith(prefix) and set(differ) <= set(fields.split())]
    return max(prefixes, key=len) if prefixes else "?"


def listed(handbook: str) -> set[tuple[str, str]]:
    """The table of known differences: | `+prefix` | fields | reason |"""
    rows = [row.split("|") for row in handbook.splitlines() if row.startswith("| `+")]
    return {(row[1].strip().strip("`"), row[2].strip().replace(",", "")) for row in rows}


def main() -> None:
    arguments = argparse.ArgumentParser(description="Compares what we say of numbers with a foreign judge.")
    arguments.add_argument("texthub", help="the program")
    arguments.add_argument("--variants", type=int, default=12, help="valid variants of each example")
    arguments.add_argument("--wrong", type=int, default=20_000, help="wrong numbers to generate")
    arguments.add_argument("--seed", type=int, default=164)
    asked = arguments.parse_args()
    known = listed((pathlib.Path(__file__).resolve().parents[2] / "docs/numbers.md").read_text())
    sources = generated(asked)
    lines = "".join(f"{text}\t{country}\n" if country else f"{text}\n" for some in sources.values() for text, country in some)
    answered = subprocess.run([asked.texthub, "sms", "number", "--json"], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    answers = iter(answered.stdout.splitlines())
    unknown = []
    for source, some in sources.items():
        kinds = collections.Counter()
        for one in some:
            ours, theirs = json.loads(next(answers)), judge(one)
            kind = kind_of_difference(one, ours, theirs, known)
            kinds[kind] += 1
            if kind == "?":
                unknown.append(f"{source}: {one}: ours { {f: ours.get(f) for f in FIELDS} }, theirs {theirs}")
        others = [f"{kind} {count}" for kind, count in sorted(kinds.items()) if kind]
        print(f"{source}: {len(some)} numbers, " + ", ".join([f"{kinds['']} equal", *others]))
    if next(answers, None) is not None:
        sys.exit("more answers than numbers")
    if unknown:
        print("\n".join(unknown[:20]), file=sys.stderr)
        sys.exit(f"{len(unknown)} differences that docs/numbers.md does not explain")


if __name__ == "__main__":
    main()
