# SPDX-License-Identifier: MIT
"""Makes the man pages, and what else is made of the headers' comments.

    mkman.py page VERSION NAME HEADER...     scdoc source of a page of section 3 about these headers
    mkman.py command VERSION TEMPLATE CRIER  scdoc source of the command's page: options as --help has them
    mkman.py roff SCDOC FILE                 a man page of scdoc source
    mkman.py links FOLDER HEADER...          for each function and type a link to its page, in
                                             $MESON_INSTALL_DESTDIR_PREFIX/FOLDER (an install script)
    mkman.py errors HEADER                   docs/errors.md
    mkman.py check HEADER...                 says what is not documented; fails if anything is not

A page fails to be made when a function has no comment.
"""
import os
import re
import subprocess
import sys

from header import read_header

WIDTH = 70  # of a prototype: what fits into a terminal of 80 columns, indented


# ---- scdoc -----------------------------------------------------------------------------------------


def escape(text):
    text = re.sub(r'([\\*_`~])', r'\\\1', text)
    return re.sub(r'^([-#.|\[\];:<])', r'\\\1', text)


def bold(text):
    return f'*{escape(text)}*'


def prose(text):
    """A comment's text: *word* is emphasis, names of the library are bold."""
    parts = re.split(r'(`[^`]+`|(?<![\w*"])\*[A-Za-z]+\*(?![\w*"])|\b(?:crier|CRIER)_\w+(?:\(\))?)', text)
    made = []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            made.append(escape(part) if i == 0 else escape('x' + part)[1:])
        elif part.startswith('`'):
            made.append(bold(part[1:-1]))
        elif part.startswith('*'):
            made.append(f'_{escape(part[1:-1])}_')
        else:
            made.append(bold(part))
    return ''.join(made)


def paragraph(text):
    """A paragraph that begins with one word and a full stop ("Threads. ...") is about that."""
    lead = re.match(r'([A-Z][a-z]+)\. (?=[A-Z0-9])', text)
    if lead:
        return f'{bold(lead.group(1) + ".")} {prose(text[lead.end():])}'
    return prose(text)


def literal(lines):
    margin = min(len(l) - len(l.lstrip()) for l in lines if l.strip())
    return '\n'.join(['```'] + [l[margin:].replace('\t', '    ') for l in lines] + ['```'])


def indent(text):
    """One level further in. A literal block's marks and lines move together."""
    return '\n'.join('\t' + line if line else '' for line in text.split('\n'))


def entry(head, *texts):
    """A head, and what is said about it below it, further in."""
    return head + ''.join('\n' + ('\n' if i else '') + indent(t) for i, t in enumerate(texts) if t)


def blocks(doc):
    return [literal(b) if isinstance(b, list) else paragraph(b) for b in doc.blocks]


# ---- declarations ----------------------------------------------------------------------------------


def split_parameters(text):
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += {'(': 1, ')': -1}.get(c, 0)
        if c == ',' and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def parameter(text):
    """All bold but its name."""
    match = re.match(r'(.*\(\*)(\w+)(\).*)$', text) or re.match(r'(.*?)(\w+)((?:\[\w*\])?)$', text)
    if not match or not match.group(1):
        return bold(text)
    type_, name, rest = match.groups()
    return f'{bold(type_.rstrip())}{" " if type_.endswith(" ") else ""}_{escape(name)}_' + \
        (bold(rest) if rest else '')


def prototype(code):
    """In lines that fit; those that go on are indented."""
    head, inside = re.match(r'(.*?\b\w+\()(.*)\);$', code).groups()
    parameters = split_parameters(inside)
    lines, line, width = [], bold(head), len(head)
    for i, text in enumerate(parameters):
        end = ', ' if i + 1 < len(parameters) else ');'
        if width + len(text) + 2 > WIDTH and (width > 8):
            lines.append(line.rstrip())
            line, width = '\u00a0' * 8, 8
        line += parameter(text) + (bold(end) if end == ');' else ', ')
        width += len(text) + 2
    return '++\n'.join(lines + [line])


def macro_prototype(item):
    """How the macro that takes options by name is called."""
    returns = re.match(r'(.*?)\bcrier_\w+\(', item.code).group(1)
    code = item.macro.code
    if code.endswith('(...)'):
        names = [re.search(r'(\w+)$', p).group(1)
                 for p in split_parameters(re.search(r'\((.*)\);$', item.code).group(1))]
        code = f'{item.macro.name}({", ".join(names[:-1] + ["..."])})'
    return bold(returns + code + ';')


def returns(text):
    """A list when it is one: "0; CRIER_X: why; ..."."""
    parts = re.split(r'; (?=CRIER_|[<>] ?0|0\b|else |or |what |the error )', text)
    if len(parts) < 3:
        return f'Returns {prose(text)}'
    return '\n'.join(['Returns', ''] + [f'- {prose(p)}' for p in parts])


def function(item):
    heads = []
    texts = []
    if item.macro:
        heads.append(macro_prototype(item))
    heads.append(prototype(item.code))
    texts += blocks(item.doc)
    if item.macro and item.macro.doc:
        call = item.macro.doc.text.removesuffix('.').removesuffix(': options by name')
        texts.append(f'Options by name: {bold(call)}')
    for name, text in item.doc.params:
        texts.append(entry(f'_{escape(name)}_', prose(text)))
    if item.doc.returns:
        texts.append(returns(item.doc.returns))
    return entry('++\n'.join(heads), *texts)


def members(list_):
    made = []
    for m in list_:
        texts = [prose(m.text)] if m.text else []
        texts += members(m.members) if m.members else []
        made.append(entry(bold(m.code), *texts))
    return made


def type_(item):
    texts = blocks(item.doc) if item.doc else []
    texts += members(item.members or [])
    texts += [entry(bold(name), prose(text)) for name, text in item.constants]
    return entry(bold(item.code if item.kind == 'typedef' else item.code.strip()), *texts)


def table(rows):
    return '\n\n'.join(entry(bold(name), prose(text)) for name, _, text in rows)


def item(header, i):
    if i.kind == 'function':
        return function(i)
    if i.name in header.tables:
        text = i.doc.text.split(': ', 1)[1]
        title = '## ' + i.name.split('_')[1].capitalize()
        return '\n\n'.join([title, prose(text[0].upper() + text[1:]), table(header.tables[i.name])])
    if i.kind == 'enum' and not i.constants or i.kind == 'macro' and not i.doc:
        return ''
    if i.kind == 'struct' and i.members is None and not i.doc:
        return ''  # opaque: its functions tell what it is
    return type_(i)


# ---- pages -----------------------------------------------------------------------------------------


def brief(header):
    """What it is, in a few words: the first sentence, or what comes before its details."""
    text = re.split(r'[.;]\s| \(', header.about.blocks[0] + ' ')[0].strip()
    text = text.split(': ')[0] if len(text) > 100 else text
    first = text.split()[0]
    return text if first.rstrip(':') != first.capitalize().rstrip(':') else text[0].lower() + text[1:]


def about(header):
    made = []
    for block in header.about.blocks:
        if isinstance(block, str) and re.fullmatch(r'[A-Z]\w+', block):
            made.append(f'# {block.upper()}')
        else:
            made.append(literal(block) if isinstance(block, list) else paragraph(block))
    return made


def overview(headers):
    """The functions by section: where to look in a long page."""
    made = []
    for header in headers:
        for section in header.sections:
            names = [(i.macro.name if i.macro else i.name) + '()' for i in section.items if i.kind == 'function']
            if names:
                title = f'{escape(section.title[0].upper() + section.title[1:])}: ' if section.title else ''
                made.append(title + ', '.join(bold(n) for n in names))
    return made


def page(version, name, paths):
    headers = [read_header(p) for p in paths]
    missing = [i.name for h in headers for i in h.items('function', 'variable') if not i.doc]
    if missing:
        sys.exit(f'mkman.py: without a comment: {", ".join(missing)}')
    made = [f'{name}(3) "libcrier {version}" "libcrier"',
            f'# NAME\n\n{escape(name)} - {escape(brief(headers[0]))}',
            f'# SYNOPSIS\n\n*#include <{headers[0].name}>*',
            'cc file.c $(pkg-config --cflags --libs crier)']
    made += overview(headers)
    made += ['# DESCRIPTION'] + about(headers[0])
    for h in headers:
        for s in h.sections:
            texts = [text for text in (item(h, i) for i in s.items) if text]
            if texts:
                made.append('# ' + escape((s.title or 'types and functions').upper()))
            made += (blocks(s.note) if s.note else []) + texts
    others = [o for o in PAGES if o != name]
    made += ['# SEE ALSO', ', '.join(f'*{escape(o)}*(3)' for o in others) + ', *crier*(1)']
    return '\n\n'.join(made) + '\n'


PAGES = ['crier', 'crier_error', 'crier_event', 'crier_hub', 'crier_server', 'crier_client', 'crier_testing']


def page_of(path):
    name = os.path.basename(path)[:-2]
    return 'crier' if name in ('crier', 'types') else 'crier_' + name


# ---- the command -----------------------------------------------------------------------------------


OPTION = re.compile(r' {2,6}(-\S.*?|CRIER_\w+)(?:  +(\S.*))?$')


def options(help_):
    """Of a --help text: (names, text) for each option, (None, text) for each heading."""
    found = []
    lines = help_.split('\n')
    for i, line in enumerate(lines):
        option = OPTION.match(line)
        if option:
            found.append([option.group(1), option.group(2) or ''])
        elif found and re.match(r' {20,}\S', line):
            found[-1][1] = (found[-1][1] + ' ' + line.strip()).strip()
        elif line and line[0] != ' ' and OPTION.match((lines + [''])[i + 1]):
            found.append([None, line])
    return found


def option_head(names):
    """Bold what is typed as it stands; underlined what stands for something."""
    return ' '.join(f'_{escape(w)}_' if w[0] != '-' and not w.startswith('CRIER_') else
                    bold(w.rstrip(',')) + (',' if w.endswith(',') else '') for w in names.split())


def option_list(help_):
    return '\n\n'.join(entry(option_head(names), prose(text)) if names else f'## {escape(text.split(":")[0])}'
                       for names, text in options(help_))


def command(version, template, crier):
    def ask(match):
        made = subprocess.run([crier, match.group(1), '--help'], check=True, capture_output=True, text=True)
        return option_list(made.stdout)

    with open(template, encoding='utf-8') as file:
        text = file.read().replace('@version@', version)
    return re.sub(r'^@options (\w+)@$', ask, text, flags=re.M)


# ---- the rest --------------------------------------------------------------------------------------


def roff(scdoc, path):
    """scdoc switches hyphenation and justification off, but before .TH, which switches them on. And plain
    characters only, so that it does not matter what an old formatter takes them for."""
    with open(path, 'rb') as source:
        made = subprocess.run([scdoc], stdin=source, check=True, capture_output=True).stdout.decode()
    made = made.replace('\u00a0', '\\ ').replace('…', '\\&...')
    return re.sub(r'^(\.TH .*)$', r'\1\n.nh\n.ad l', made, count=1, flags=re.M)


def links(folder, paths):
    """crier_hub_publish.3 -> crier_hub.3, and so on."""
    if os.path.isabs(folder):
        folder = os.environ.get('DESTDIR', '') + folder
    else:
        folder = os.path.join(os.environ['MESON_INSTALL_DESTDIR_PREFIX'], folder)
    os.makedirs(folder, exist_ok=True)
    for path in paths:
        header = read_header(path)
        names = ['crier_types'] if path.endswith('/types.h') else []
        names += [i.name for i in header.items() if i.name.startswith('crier_')]
        names += [i.macro.name for i in header.items('function') if i.macro]
        for name in names:
            link = os.path.join(folder, name + '.3')
            if name not in PAGES:
                if os.path.lexists(link):
                    os.remove(link)
                os.symlink(page_of(path) + '.3', link)


def errors(path):
    header = read_header(path)

    def rows(name, value):
        made = ['| name | value | meaning |', '|---|---|---|']
        return made + [f'| `{n}` | {value(v)} | {t} |' for n, v, t in header.tables[name]]

    return '\n'.join([
        '<!-- Made by man/mkman.py of include/crier/error.h; a test compares. -->',
        '# Errors and outcomes',
        '',
        'What functions of libcrier return: 0, an error below 0 (`crier_strerror()` has the sentence,',
        '`crier_errname()` the name), or an outcome above 0. Errors are negative errno values, so that those of',
        'the system pass through unchanged. Which function returns which, the headers and man pages tell.',
        '',
        '## Errors', '',
        *rows('CRIER_ERRORS', lambda v: f'`-{v}`'), '',
        '## Outcomes', '',
        *rows('CRIER_OUTCOMES', number), ''])


def number(text):
    """Of "7" or "1 << 30"."""
    base, _, by = text.partition('<<')
    return str(int(base) << int(by or 0))


def tells_threads(header, section, i):
    """Of its thread rule: its own comment, its section's (or a type's in it), or the header's chapter."""
    said = [i.doc.text if i.doc else ''] + [t.doc.text for t in section.items if t.kind == 'struct' and t.doc]
    said += [section.note.text] if section.note else []
    chapter = re.search(r'\b(Threads\.|One thread)', header.about.text)
    return bool(chapter) or any(re.search(r'\bthread', s) for s in said)


def check(paths):
    wrong = []
    for path in paths:
        header = read_header(path)
        for section in header.sections:
            for i in section.items:
                if i.kind not in ('function', 'variable'):
                    continue
                if not i.doc:
                    wrong.append(f'{path}: {i.name} has no comment')
                elif i.kind == 'function' and not tells_threads(header, section, i):
                    wrong.append(f'{path}: nothing says which threads may call {i.name}')
        if not header.about:
            wrong.append(f'{path}: there is no @file comment')
    return wrong


def main(what, *arguments):
    if what == 'page':
        sys.stdout.write(page(arguments[0], arguments[1], arguments[2:]))
    elif what == 'command':
        sys.stdout.write(command(*arguments))
    elif what == 'roff':
        sys.stdout.write(roff(*arguments))
    elif what == 'links':
        links(arguments[0], arguments[1:])
    elif what == 'errors':
        sys.stdout.write(errors(arguments[0]))
    elif what == 'check':
        wrong = check(arguments)
        for line in wrong:
            print(line, file=sys.stderr)
        return bool(wrong)
    else:
        sys.exit(__doc__)
    return 0


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
