# SPDX-License-Identifier: MIT
"""What is made of the headers' comments is complete, and what lies in the tree is what would be made now."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ['CRIER_SOURCE']
MAN = os.environ['CRIER_MAN']
CRIER = os.environ['CRIER_BIN']
HEADERS = sorted(glob.glob(f'{SOURCE}/include/crier/*.h'))
MKMAN = f'{SOURCE}/man/mkman.py'

sys.path.insert(0, f'{SOURCE}/man')
from header import read_header  # noqa: E402


def mkman(*arguments):
    return subprocess.run([sys.executable, MKMAN, *arguments], capture_output=True, text=True)


def rendered(page):
    """What is read on the screen, without line ends and emphasis."""
    env = dict(os.environ, MANWIDTH='10000', LC_ALL='C.UTF-8', GROFF_NO_SGR='1')
    shown = subprocess.run(['groff', '-man', '-Tutf8', '-rLL=1000n', page], check=True, capture_output=True, env=env)
    return re.sub(r'.\x08', '', shown.stdout.decode()).replace('\u2010', '-')


def header_with(declaration):
    file = tempfile.NamedTemporaryFile('w', suffix='.h', delete=False)
    with file:
        file.write('/**\n * @file\n * A header. Any thread.\n */\n' + declaration)
    return file.name


class Comments(unittest.TestCase):
    def test_every_function_has_one_that_tells_its_threads(self):
        made = mkman('check', *HEADERS)
        self.assertEqual((made.returncode, made.stderr), (0, ''))

    def test_a_function_without_one_is_no_page(self):
        path = header_with('CRIER_API int crier_bare(void);\n')
        self.addCleanup(os.remove, path)
        for made in (mkman('page', '1', 'crier_bare', path), mkman('check', path)):
            self.assertEqual(made.returncode, 1)
            self.assertIn('crier_bare', made.stderr)

    def test_a_function_that_does_not_tell_its_threads_is_found(self):
        path = header_with('/** Does it. */\nCRIER_API int crier_silent(void);\n')
        self.addCleanup(os.remove, path)
        made = mkman('check', path)
        self.assertEqual(made.returncode, 1)
        self.assertIn('crier_silent', made.stderr)


class Errors(unittest.TestCase):
    def test_errors_md_is_the_table(self):
        with open(f'{SOURCE}/docs/errors.md', encoding='utf-8') as file:
            self.assertEqual(file.read(), mkman('errors', f'{SOURCE}/include/crier/error.h').stdout,
                             'python3 man/mkman.py errors include/crier/error.h >docs/errors.md')


@unittest.skipUnless(MAN, 'scdoc was not found: no man pages')
class Pages(unittest.TestCase):
    def test_each_function_is_on_a_page(self):
        text = ''
        for page in glob.glob(f'{MAN}/*.3'):
            with open(page, encoding='utf-8') as file:
                text += file.read()
        text = re.sub(r'\\f.|\\', '', text)
        for header in map(read_header, HEADERS):
            for item in header.items('function'):
                self.assertRegex(text, rf'\b{item.name}\(', header.name)

    @unittest.skipUnless(shutil.which('groff'), 'groff was not found')
    def test_formatters_take_them_without_a_warning(self):
        for page in glob.glob(f'{MAN}/*.[13]'):
            made = subprocess.run(['groff', '-man', '-Tutf8', '-ww', '-z', page], capture_output=True, text=True)
            self.assertEqual(made.stderr, '')

    @unittest.skipUnless(CRIER and shutil.which('groff'), 'groff was not found, or there is no command')
    def test_the_command_s_page_has_each_option(self):
        text = rendered(f'{MAN}/crier.1')
        for command in ('serve', 'pub', 'sub', 'journal'):
            help_ = subprocess.run([CRIER, command, '--help'], check=True, capture_output=True, text=True).stdout
            section = text.split(f'OPTIONS OF CRIER {command.upper()}\n')[1].split('\nOPTIONS')[0]
            options = re.findall(r'^ {2,6}(?:-\w, )?(--[\w-]+)', help_, re.M)
            self.assertGreater(len(options), 5)
            for option in options:
                self.assertRegex(section, rf'(?m)^ +(-\w, )?{option}\b')


if __name__ == '__main__':
    unittest.main()
