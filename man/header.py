# SPDX-License-Identifier: MIT
"""Reads a public header: what it declares, and what the comments say about it.

Only as much C as include/crier/ is written in. A header becomes a list of sections ("/* ---- title
---- */"), each with its items in order; a comment "/** ... */" belongs to the declaration after it,
"/**< ... */" to the member or constant before it. Of the two branches for C++ and C, C's is read.
"""
import re
from dataclasses import dataclass, field


@dataclass
class Doc:
    """A comment: paragraphs (text) and literal blocks (list of lines), parameters, the result."""
    blocks: list = field(default_factory=list)
    params: list = field(default_factory=list)  # (name, text)
    returns: str = ''
    text: str = ''  # all of it, for those who search


@dataclass
class Item:
    kind: str  # function, variable, struct, enum, macro, typedef
    name: str
    code: str  # the declaration, in one line
    doc: Doc = None
    members: list = None  # struct: Member; None: opaque
    constants: list = field(default_factory=list)  # enum: (name, text)
    macro: 'Item' = None  # the macro that calls this function with options by name
    inline: bool = False  # a function that is all in the header: no symbol of the library


@dataclass
class Member:
    code: str
    text: str = ''
    members: list = None  # of a struct without a name


@dataclass
class Section:
    title: str
    note: Doc = None
    items: list = field(default_factory=list)


@dataclass
class Header:
    name: str
    about: Doc = None
    sections: list = field(default_factory=list)
    tables: dict = field(default_factory=dict)  # X macro: its rows

    def items(self, *kinds):
        return [i for s in self.sections for i in s.items if not kinds or i.kind in kinds]


# ---- comments --------------------------------------------------------------------------------------


def one_line(text):
    return ' '.join(text.split())


def read_doc(comment):
    """comment: what stands between the marks, stars at the beginning of lines included."""
    lines = comment.split('\n')
    lines = [lines[0].strip()] + [re.sub(r'^\s*\*? ?', '', line).rstrip() for line in lines[1:]]
    doc = Doc(text=one_line(' '.join(lines)))
    prose, tags = [], []
    for line in lines:
        parts = re.split(r'@(param|return)\b', line)
        if len(parts) > 1 or not tags:
            (tags[-1][1] if tags else prose).append(parts[0])
            for tag, text in zip(parts[1::2], parts[2::2]):
                tags.append((tag, [text]))
        else:
            tags[-1][1].append(line)
    for tag, texts in tags:
        text = one_line(' '.join(texts))
        if tag == 'return':
            doc.returns = text
        else:
            doc.params.append(tuple(text.split(' ', 1)))
    doc.blocks = read_blocks(prose)
    return doc


def read_blocks(lines):
    """Paragraphs; what is indented is a literal block."""
    blocks = []
    for line in lines + ['']:
        if not line.strip():
            if blocks and blocks[-1]:
                blocks.append(None)
        elif line.startswith('  '):
            if not blocks or not isinstance(blocks[-1], list):
                # A blank line within a literal block does not end it.
                if len(blocks) > 1 and blocks[-1] is None and isinstance(blocks[-2], list):
                    blocks.pop()
                    blocks[-1].append('')
                else:
                    blocks.append([])
            blocks[-1].append(line)
        elif blocks and isinstance(blocks[-1], str):
            blocks[-1] += ' ' + line.strip()
        else:
            blocks.append(line.strip())
    return [b for b in blocks if b]


# ---- declarations ----------------------------------------------------------------------------------

TOKEN = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"|[{};]|[^/"{};]+|/', re.S)


def without_cplusplus(text):
    """Leaves out what only C++ sees."""
    kept, states = [], []  # a state: None (another condition), or whether these lines count
    for line in text.split('\n'):
        directive = re.match(r'\s*#\s*(if|ifdef|ifndef|else|endif)\b\s*(.*)', line)
        word = directive and directive.group(1)
        if word in ('if', 'ifdef', 'ifndef'):
            states.append(False if directive.group(2).strip() == '__cplusplus' else None)
        elif word == 'else' and states[-1] is not None:
            states[-1] = not states[-1]
        elif word == 'endif':
            states.pop()
        elif False not in states:
            kept.append(line)
    return '\n'.join(kept)


def tokens(text):
    """(kind, text): comment, directive, declaration."""
    position, start, depth = 0, None, 0
    while position < len(text):
        if start is None:
            directive = re.compile(r'\s*(#(?:[^\n]*\\\n)*[^\n]*)').match(text, position)
            if directive:
                yield 'directive', directive.group(1)
                position = directive.end()
                continue
        token = TOKEN.match(text, position).group()
        if start is None and token.startswith('/*'):
            yield 'comment', token
        elif token.strip():
            if start is None:
                start = position + len(token) - len(token.lstrip())
                # A directive further down in the same run of text ends it.
                directive = re.search(r'\n\s*#', token)
                if directive:
                    token = token[:directive.start()]
            depth += {'{': 1, '}': -1}.get(token, 0)
            inline = token == '}' and text.startswith('static inline', start)
            if (token == ';' or inline) and depth == 0:
                yield 'declaration', text[start:position]
                start = None
        position += len(token)


def strip_comments(code):
    return re.sub(r'/\*.*?\*/', ' ', code, flags=re.S)


def read_members(body):
    """The members of a struct, each with its comments; several of one declaration stay together."""
    members, before, code, depth = [], '', '', 0
    for token in TOKEN.findall(body):
        if token.startswith('/**<') and not code.strip():
            members[-1].text = one_line((members[-1].text + ' ' + token[4:-2]).strip())
        elif token.startswith('/**') and depth == 0:
            before = read_doc(token[3:-2]).text
        else:
            depth += {'{': 1, '}': -1}.get(token, 0)
            if token == ';' and depth == 0:
                members.append(Member(one_line(strip_comments(code)), before))
                inner = re.match(r'\s*(struct|union)\s*\{(.*)\}\s*(\w+)\s*$', code, re.S)
                if inner:
                    members[-1].members = read_members(inner.group(2))
                    members[-1].code = f'{inner.group(1)} {{ ... }} {inner.group(3)}'
                before, code = '', ''
            else:
                code += token
    return members


def read_constants(body):
    body = re.sub(r'^\s*#.*$', '', body, flags=re.M)
    constants = []
    for match in re.finditer(r'(CRIER_\w+)\s*=\s*[^,/]*,?\s*(?:/\*\*<(.*?)\*/)?', body, re.S):
        constants.append((match.group(1), one_line(match.group(2) or '')))
    return constants


def read_declaration(code, doc):
    plain = one_line(strip_comments(code))
    if code.startswith('CRIER_API'):
        plain = one_line(re.sub(r'\bCRIER_(API|MUST_CHECK|PRINTF\([^)]*\))', '', plain))
        plain = plain.replace('* ', '*')
        function = re.search(r'\b(crier_\w+)\s*\(', plain)
        if function:
            return Item('function', function.group(1), plain + ';', doc)
        return Item('variable', plain.split()[-1], plain + ';', doc)
    if code.startswith('static inline'):
        plain = re.sub(r'^static inline (__attribute__\(\(unused\)\) )?| ?\{.*$', '', plain)
        return Item('function', re.search(r'\b(crier_\w+)\s*\(', plain).group(1), plain + ';', doc, inline=True)
    kind = re.match(r'(struct|enum|typedef)\b\s*(\w*)', plain)
    if not kind:
        return None
    name = kind.group(2)
    if kind.group(1) == 'typedef':
        name = re.findall(r'\b(crier_\w+)\b', plain.split('(')[0])[-1]
        return Item('typedef', name, plain + ';', doc)
    item = Item(kind.group(1), name, f'{kind.group(1)} {name}'.strip(), doc)
    body = re.search(r'\{(.*)\}', code, re.S)
    if body and item.kind == 'struct':
        item.members = read_members(body.group(1))
    elif body:
        item.constants = read_constants(body.group(1))
    return item


def read_rows(code):
    """The rows of a table that is an X macro: (name, number, text)."""
    return re.findall(r'X\((\w+),\s*([^,]+),\s*"([^"]*)"\)', code)


def read_macro(code, doc):
    code = re.sub(r'\\\n', ' ', code)
    match = re.match(r'#\s*define\s+((?:CRIER|crier)_\w+)(\([^)]*\))?\s*(.*)', code, re.S)
    if not match or match.group(1).endswith('_') or match.group(1).endswith('_H'):
        return None
    return Item('macro', match.group(1), match.group(1) + (match.group(2) or ''), doc)


def read_header(path):
    with open(path, encoding='utf-8') as file:
        text = without_cplusplus(file.read())
    header = Header('crier/' + path.rsplit('/', 1)[-1], sections=[Section('')])
    doc = None
    for kind, code in tokens(text):
        section = header.sections[-1]
        title = re.match(r'/\* -{4} (.*?) -+ \*/', code)
        if title:
            header.sections.append(Section(title.group(1)))
        elif kind == 'comment' and code.startswith('/**'):
            doc = read_doc(code[3:-2].replace('@file\n', '\n'))
            if '@file' in code:
                header.about, doc = doc, None
        elif kind == 'comment':
            # What is said right under a title is about all of the section.
            if section.title and not section.items:
                section.note = read_doc(code[2:-2])
        else:
            if kind == 'declaration':
                item = read_declaration(code, doc)
            else:
                item = read_macro(code, doc)
                if item and read_rows(code):
                    header.tables[item.name] = read_rows(code)
            if item:
                add(header, item)
            doc = None
    header.sections = [s for s in header.sections if s.items]
    return header


def add(header, item):
    """crier_x(...) is told together with crier_x_with(), which it calls."""
    if item.kind == 'macro':
        for other in header.items('function'):
            if other.name == item.name + '_with':
                other.macro = item
                return
    header.sections[-1].items.append(item)
