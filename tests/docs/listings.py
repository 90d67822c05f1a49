#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The C listings of the documents.

    listings.py extract FOLDER DOCUMENT…   writes each one to FOLDER as a file of its own, and prints
                                           "unit NAME", or "program NAME" if it has a main(), or "run NAME"
                                           if the tests are to run that
    listings.py check EXAMPLES DOCUMENT…   are the listings that show a program what the program is?
                                           Do the programs keep within their lines?

Every ```c block of a document is a listing. A comment in the line before it says what it is:

    (nothing)                      a whole file, with what it includes
    <!-- listing: run -->          a whole program that ends by itself, with 0 if it works
    <!-- listing: top -->          declarations; <crier/crier.h> and C's usual headers come before them
    <!-- listing: body -->         statements in a function that has what PARAMETERS names
    <!-- listing: clock.c -->      a part of examples/clock.c, line for line: that is built itself
"""
import pathlib
import re
import sys

INCLUDES = """#include <crier/crier.h>
#include <crier/testing.h>
#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
"""
PARAMETERS = """struct crier_server *server, struct crier_request *request, struct crier_stream *stream,
    struct crier_hub *hub, struct crier_client *client, struct crier_ref ref, void *ctx"""

# Lines of code, as formatted: includes are counted, comments and blank lines are not.
LIMITS = {"clock.c": 20, "hub20.c": 20}
LIMIT = 59


class Listing:
    def __init__(self, document, line, kind, text):
        self.document, self.line, self.kind, self.text = document, line, kind, text

    @property
    def place(self):
        return f"{self.document.name}:{self.line}"

    def source(self):
        here = f'#line {self.line + 1} "{self.document.name}"\n'
        if self.kind == "top":
            return f"{INCLUDES}{here}{self.text}"
        if self.kind == "body":
            return (f"{INCLUDES}void listing({PARAMETERS});\n"
                    f"void listing({PARAMETERS})\n{{\n{here}{self.text}}}\n")
        return here + self.text


def listings(document):
    """The listings of a document. Raises ValueError at one that is not well-formed."""
    kind, begun, lines = "", None, []
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        fence = line.strip()
        if begun is not None:
            if fence != "```":
                lines.append(line + "\n")
                continue
            yield Listing(document, begun, kind, "".join(lines))
            kind, begun, lines = "", None, []
        elif re.fullmatch(r"```(c|C)\b.*", fence):
            if fence != "```c" or line != fence:
                raise ValueError(f"{document}:{number}: write ```c, at the start of the line")
            begun = number
        else:
            comment = re.fullmatch(r"<!-- listing: (\S+) -->", fence)
            if kind:
                raise ValueError(f"{document}:{number}: no listing follows its comment")
            kind = comment[1] if comment else ""
            if kind and kind not in ("run", "top", "body") and not kind.endswith(".c"):
                raise ValueError(f"{document}:{number}: what is a listing '{kind}'?")
    if begun is not None:
        raise ValueError(f"{document}:{begun}: the listing has no end")


def extract(folder, documents):
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        for listing in listings(document):
            if listing.kind.endswith(".c"):
                continue
            name = f"{document.stem}_{listing.line}"
            path = folder / f"{name}.c"
            if not path.exists() or path.read_text(encoding="utf-8") != listing.source():
                path.write_text(listing.source(), encoding="utf-8")
            has_main = re.search(r"\bmain\(", listing.text)
            print("run" if listing.kind == "run" else "program" if has_main else "unit", name)


def count(text):
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return sum(1 for line in code.splitlines() if line.strip())


def check(examples, documents):
    faults = []
    seen = 0
    for document in documents:
        for listing in listings(document):
            seen += 1
            if not listing.kind.endswith(".c"):
                continue
            program = (examples / listing.kind).read_text(encoding="utf-8")
            if "\n" + listing.text not in program:
                faults.append(f"{listing.place}: this is not what examples/{listing.kind} says")
    programs = sorted(examples.glob("*.c")) + sorted(examples.glob("*.cpp"))
    for program in programs:
        lines, limit = count(program.read_text(encoding="utf-8")), LIMITS.get(program.name, LIMIT)
        print(f"{program.name}: {lines} lines, at most {limit}")
        if lines > limit:
            faults.append(f"{program.name}: {lines} lines, {limit} are promised")
    faults += [f"{name}: it is not there" for name in LIMITS if not (examples / name).exists()]
    if seen == 0:
        faults.append("no listing was found at all")
    print(*faults, sep="\n", file=sys.stderr)
    return len(faults) > 0


def main():
    command, folder, *documents = sys.argv[1:]
    documents = [pathlib.Path(document) for document in documents]
    if command == "extract":
        extract(pathlib.Path(folder), documents)
        return 0
    return check(pathlib.Path(folder), documents)


try:
    sys.exit(main())
except ValueError as error:
    sys.exit(str(error))
