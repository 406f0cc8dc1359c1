#!/usr/bin/env python3
"""Compares `texthub sms parts` with two foreign judges, the PyPI package smsutil and the npm package
sms-segments-calculator, on our own sentences, on generated texts, and on the corpus that TEXTHUB_CORPUS names. Encoding,
octets, number of parts and where they are cut must be the same, but for the differences that docs/encoding.md lists: each
is proved to be of its kind, anything else fails. Each program is asked once for all texts.

    compare.py TEXTHUB [--count 100000] [--seed 338]
"""

import argparse
import collections
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import texts

HERE = pathlib.Path(__file__).resolve().parent
EXTENSION = set("^{}\\[~]|€\f")
LIMITS = {"gsm7": (160, 153), "ucs2": (70, 67)}


def units(character: str, encoding: str) -> int:
    if encoding == "gsm7":
        return 2 if character in EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def fill(sizes: list[int], most: int) -> list[int]:
    """How many of these, none of them cut, each part holds when each is as full as it can be."""
    parts, used = [0], 0
    for size in sizes:
        if used + size > most and parts[-1] > 0:
            parts.append(0)
            used = 0
        used += size
        parts[-1] += 1
    return parts


def grouped(sizes: list[int], clusters: list[int]) -> list[int]:
    groups, at = [], 0
    for length in clusters:
        groups.append(sum(sizes[at : at + length]))
        at += length
    return groups


def by_smsutil(text: str, ours: dict, theirs: dict, clusters: list[int] | None) -> str:
    """The kind of difference between ours and smsutil's; empty where there is none."""
    if text == "":
        return "empty_text" if ours["encoding"] == "gsm7" and theirs["parts"] == [0] else "?"
    if "\x1b" in text and ours["encoding"] != theirs["encoding"]:
        return "escape_character" if (ours["encoding"], theirs["encoding"]) == ("ucs2", "gsm7") else "?"
    if ours["encoding"] != theirs["encoding"] or "".join(p["octets"] for p in ours["parts"]) != theirs["octets"]:
        return "?"
    lengths = [len(part["text"]) for part in ours["parts"]]
    if lengths == theirs["parts"]:
        return ""
    if len(lengths) != len(theirs["parts"]) or clusters is None:
        return "?"
    return "cluster_kept" if only_for_clusters(text, ours["encoding"], lengths, clusters) else "?"


def only_for_clusters(text: str, encoding: str, lengths: list[int], clusters: list[int]) -> bool:
    """Whether each part is full, or ends where the cluster begins that the full one would have cut."""
    sizes = [units(character, encoding) for character in text]
    ends, at = set(), 0
    for length in clusters:
        at += length
        ends.add(at)
    start = 0
    for nth, length in enumerate(lengths[:-1]):
        most, used = start, 0
        while used + sizes[most] <= LIMITS[encoding][1]:
            used += sizes[most]
            most += 1
        cut, left = start + length, len(lengths) - nth - 1
        begin = most if most in ends else max((end for end in ends if start < end < most), default=most)
        if len(fill(sizes[begin:], LIMITS[encoding][1])) > left:
            begin = most
        if cut != begin:
            return False
        start = cut
    return True


def by_calculator(text: str, ours: dict, theirs: dict) -> str:
    """The kind of difference between ours and the calculator's."""
    if ours["encoding"] != theirs["encoding"]:
        return "?"
    encoding = ours["encoding"]
    if [part["units"] for part in ours["parts"]] == theirs["parts"]:
        return ""
    if "own" not in theirs:
        return "?"
    sizes = grouped([units(character, encoding) for character in text], theirs["own"])
    single, several = LIMITS[encoding]
    if max(sizes) > several:
        is_overfull = max(theirs["parts"]) > several or len(theirs["parts"]) >= len(ours["parts"])
        return "cluster_longer_than_a_part" if is_overfull else "?"
    uncut, at = [], 0
    for count in [len(sizes)] if sum(sizes) <= single else fill(sizes, several):
        uncut.append(sum(sizes[at : at + count]))
        at += count
    if uncut != theirs["parts"]:
        return "?"
    if len(theirs["parts"]) > len(ours["parts"]):
        return "cluster_never_cut"
    # with the same clusters and no part more, both rules lead to the same cuts
    return "cluster_seen_otherwise" if theirs["own"] != theirs["clusters"] else "?"


def smsutil_judge() -> None:
    import smsutil

    for line in sys.stdin:
        text = json.loads(line)
        split = smsutil.split(text)
        encoding = "gsm7" if split.encoding == "gsm0338" else "ucs2"
        answer = {"encoding": encoding, "parts": [p.length for p in split.parts], "octets": smsutil.encode(text).hex()}
        sys.stdout.write(json.dumps(answer) + "\n")


def ask(programs: dict[str, list[str]], asked: pathlib.Path) -> Iterator[list[dict]]:
    """Asks all programs side by side, each once; for each text their answers, as they come."""
    running = {
        name: subprocess.Popen(command, stdin=asked.open(), stdout=subprocess.PIPE, text=True)
        for name, command in programs.items()
    }
    for lines in itertools.zip_longest(*(process.stdout for process in running.values())):
        if None in lines:
            break
        yield [json.loads(line) for line in lines]
    for name, process in running.items():
        process.stdout.close()
        if process.wait() != 0:
            sys.exit(f"{name} failed")


def compare(sources: dict[str, list[str]], answers: Iterator[list[dict]], handbook: str) -> list[str]:
    """Prints how many answers are equal, and how many differ by which kind; returns what is not explained."""
    unknown = []
    for source, some in sources.items():
        kinds = {"smsutil": collections.Counter(), "sms-segments-calculator": collections.Counter()}
        for nth, text in enumerate(some):
            answered = next(answers, None)
            if answered is None:
                sys.exit(f"a program gave no answer to text {nth} of {source}")
            ours, smsutil, calculator = answered
            found = by_smsutil(text, ours, smsutil, calculator.get("clusters")), by_calculator(text, ours, calculator)
            for judge, kind in zip(kinds, found, strict=True):
                kinds[judge][kind] += 1
                if kind == "?" or (kind and f"| `{kind}` | {judge} |" not in handbook):
                    # a corpus is other people's words
                    shown = "" if source == "corpus" else f": {json.dumps(text)[:600]}"
                    unknown.append(f"{judge}, {kind}: text {nth} of {source}{shown}")
        if some:
            print(f"{source}: {len(some)} texts")
        for judge, counts in kinds.items() if some else ():
            others = [f"{kind} {count}" for kind, count in sorted(counts.items()) if kind]
            print("  " + ", ".join([f"{judge}: {counts['']} equal", *others]))
    if next(answers, None) is not None:
        sys.exit("more answers than texts")
    return unknown


def main() -> None:
    arguments = argparse.ArgumentParser(description="Compares the parts of texts with foreign judges.")
    arguments.add_argument("texthub", help="the program")
    arguments.add_argument("--count", type=int, default=100_000, help="texts to generate")
    arguments.add_argument("--seed", type=int, default=338)
    asked = arguments.parse_args()
    sources = {"our sentences": texts.own(), "generated": texts.generated(asked.count, asked.seed), "corpus": texts.corpus()}
    programs = {
        "texthub": [asked.texthub, "sms", "parts", "--lines", "--octets"],
        "smsutil": [sys.executable, __file__, "--as-smsutil"],
        "sms-segments-calculator": ["node", str(HERE / "judge.mjs")],
    }
    handbook = (HERE.parents[1] / "docs/encoding.md").read_text()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "texts"
        file.write_text("".join(json.dumps(text) + "\n" for some in sources.values() for text in some))
        unknown = compare(sources, ask(programs, file), handbook)
    if unknown:
        print("\n".join(unknown[:5]), file=sys.stderr)
        sys.exit(f"{len(unknown)} differences that docs/encoding.md does not explain")


if __name__ == "__main__":
    smsutil_judge() if sys.argv[1:] == ["--as-smsutil"] else main()
