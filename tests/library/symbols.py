# SPDX-License-Identifier: MIT
"""symbols.py NM LIBRARY HEADER...: the shared library shows exactly what the headers declare."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'man'))
from header import read_header  # noqa: E402


def exported(nm, library):
    listed = subprocess.run([nm, '-D', '--defined-only', library], check=True, capture_output=True, text=True)
    # "address kind name@@version"; A: the name of the version itself.
    lines = [line.split() for line in listed.stdout.splitlines()]
    return {line[-1].split('@')[0] for line in lines if line[-2] != 'A'}


def main(nm, library, *headers):
    declared = {i.name for h in headers for i in read_header(h).items('function', 'variable') if not i.inline}
    shown = exported(nm, library)
    wrong = [f'not of the library: {s}' for s in sorted(shown) if not s.startswith('crier_')]
    wrong += [f'exported, but no header declares it: {s}' for s in sorted(shown - declared)]
    wrong += [f'declared, but not exported: {s}' for s in sorted(declared - shown)]
    folder = os.path.dirname(headers[0])
    unlisted = {f for f in os.listdir(folder) if f.endswith('.h')} - {os.path.basename(h) for h in headers}
    wrong += [f'include/meson.build does not list {f}' for f in sorted(unlisted)]
    print(f'{len(declared)} declared, {len(shown)} exported', *wrong, sep='\n')
    return bool(wrong) or not declared


sys.exit(main(*sys.argv[1:]))
