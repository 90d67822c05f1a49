# SPDX-License-Identifier: MIT
"""test_install.py WAY PROGRAM: installs into a folder of its own, and builds and runs a program from
outside the tree with what lies there: WAY is files, shared, static, cplusplus or cmake.

Exit status 77: skipped (a tool is missing).
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ['CRIER_SOURCE']
BUILD = os.environ['CRIER_BUILD']
PREFIX = os.environ['CRIER_PREFIX']
MESON = os.environ['CRIER_MESON'].split()
CC = os.environ['CRIER_CC'].split()
STRICT = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']


def run(command, **more):
    print('+', ' '.join(command), flush=True)
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    print(made.stdout, end='', flush=True)
    if made.returncode != 0:
        sys.exit(f'test_install.py: that ended with {made.returncode}')
    return made.stdout


def need(tool):
    if not shutil.which(tool):
        print(f'{tool} is missing here')
        sys.exit(77)
    return tool


class Installed:
    """A staging folder with what `meson install` puts there."""

    def __init__(self, folder):
        self.stage = os.path.join(folder, 'stage')
        run([*MESON, 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', self.stage])
        self.root = self.stage + PREFIX
        self.libdir = os.path.dirname(self.find('libcrier.so'))
        self.env = dict(os.environ, LD_LIBRARY_PATH=self.libdir)

    def find(self, name):
        found = glob.glob(f'{self.root}/**/{name}', recursive=True)
        if not found:
            sys.exit(f'test_install.py: {name} is not installed')
        return found[0]

    def pkg_config(self, *arguments):
        # The staging folder stands for the root of a system: paths in crier.pc are below it, and those of
        # other libraries are where the linker looks anyhow.
        paths = os.path.dirname(self.find('crier.pc')) + ':' + os.environ.get('PKG_CONFIG_PATH', '')
        env = dict(os.environ, PKG_CONFIG_PATH=paths, PKG_CONFIG_SYSROOT_DIR=self.stage)
        return run([need('pkg-config'), *arguments, 'crier'], env=env).split()

    def program_runs(self, program):
        if run([program], env=self.env, timeout=60) != 'ok\n':
            sys.exit('test_install.py: it did not say "ok"')


def needed(program):
    """The names of the shared libraries a program asks for."""
    return re.findall(r'NEEDED.*\[(.*)\]', run([need('readelf'), '-d', program]))


def files(installed, folder, program):
    """Everything is there, and the command runs."""
    for header in os.listdir(f'{SOURCE}/include/crier'):
        if header.endswith('.h'):
            installed.find('crier/' + header)
    for name in ('libcrier.a', 'libcrier.so.0', 'crier.pc', 'crierConfig.cmake', 'crierConfigVersion.cmake'):
        installed.find(name)
    version = run([installed.find('bin/crier'), '--version'], env=installed.env).split()[1]
    installed.find(f'libcrier.so.{version}')
    if installed.pkg_config('--modversion') != [version]:
        sys.exit('test_install.py: crier.pc is of another version')
    if 'libcrier.so.0' in needed(installed.find('bin/crier')):
        sys.exit('test_install.py: the command needs the shared library')
    if re.findall(r'SONAME.*\[(.*)\]', run(['readelf', '-d', installed.find('libcrier.so')])) != ['libcrier.so.0']:
        sys.exit('test_install.py: the soname is not libcrier.so.0')
    if shutil.which('scdoc') and glob.glob(f'{BUILD}/man/*.3'):
        for page in ('crier.1', 'crier.3', 'crier_hub.3', 'crier_hub_publish.3'):
            if not os.path.exists(installed.find(page)):
                sys.exit(f'test_install.py: {page} points nowhere')


def shared(installed, folder, program):
    flags = installed.pkg_config('--cflags', '--libs')
    run([*CC, *STRICT, '-std=c11', program, '-o', f'{folder}/program', *flags])
    installed.program_runs(f'{folder}/program')
    # Of a shared library a program needs nothing but that.
    if not set(needed(f'{folder}/program')) <= {'libcrier.so.0', 'libc.so.6'}:
        sys.exit('test_install.py: it is linked with more than libcrier and libc')


def static(installed, folder, program):
    flags = installed.pkg_config('--static', '--cflags', '--libs')
    flags = [installed.find('libcrier.a') if flag == '-lcrier' else flag for flag in flags]
    run([*CC, *STRICT, '-std=c11', program, '-o', f'{folder}/program', *flags])
    installed.program_runs(f'{folder}/program')
    if 'libcrier.so.0' in needed(f'{folder}/program'):
        sys.exit('test_install.py: it needs the shared library')


def cplusplus(installed, folder, program):
    compiler = need('clang++' if 'clang' in CC[-1] else 'g++')
    flags = installed.pkg_config('--cflags', '--libs')
    run([compiler, *STRICT, '-std=c++17', '-x', 'c++', program, '-o', f'{folder}/program', *flags])
    installed.program_runs(f'{folder}/program')


def cmake(installed, folder, program):
    need('cmake')
    build = f'{folder}/build'
    env = dict(os.environ, CC=' '.join(CC))
    run(['cmake', '-S', f'{SOURCE}/tests/install', '-B', build, '-G', 'Ninja', f'-DCMAKE_PREFIX_PATH={installed.root}',
         f'-DPROGRAM={program}', '-DCMAKE_BUILD_TYPE=Release'], env=env)
    run(['cmake', '--build', build], env=env)
    for name in ('shared', 'static'):
        installed.program_runs(f'{build}/{name}')
    if 'libcrier.so.0' in needed(f'{build}/static'):
        sys.exit('test_install.py: the static one needs the shared library')


WAYS = {f.__name__: f for f in (files, shared, static, cplusplus, cmake)}

with tempfile.TemporaryDirectory() as temporary:
    WAYS[sys.argv[1]](Installed(temporary), temporary, sys.argv[2])
