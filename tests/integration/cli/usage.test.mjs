// SPDX-License-Identifier: MIT
// The command line itself: help, versions, and one line for each way to get it wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../lib/command.mjs';

test('--version, --help and the help of every command', async (t) => {
  assert.match((await run(t, ['--version'])).stdout, /^crier \d+\.\d+\.\d+\n$/);
  const help = await run(t, ['--help']);
  assert.equal(help.status, 0);
  for (const command of ['serve', 'pub', 'sub', 'journal']) {
    assert.match(help.stdout, new RegExp(`crier ${command} `));
    const own = await run(t, [command, '--help']);
    assert.equal(own.status, 0);
    assert.equal(own.stderr, '');
    assert.match(own.stdout, new RegExp(`^usage: crier ${command} `));
    assert.equal((await run(t, ['help', command])).stdout, own.stdout);
    for (const line of own.stdout.split('\n')) assert.ok(line.length <= 120, line);
  }
});

test('every option of serve but --help has a variable, and every row a description', async (t) => {
  const { stdout } = await run(t, ['serve', '--help']);
  const rows = stdout.split(/\n(?= {2}(?:-\w,| {4}--))/).slice(1);
  assert.ok(rows.length > 30);
  for (const row of rows) {
    const name = row.match(/--([a-z-]+)/)[1];
    if (name === 'help') continue;
    const variable = `CRIER_${name.toUpperCase().replaceAll('-', '_')}`;
    assert.ok(row.replace(/\s+/g, ' ').includes(`[${variable}]`), `${name}: ${row}`);
  }
});

// [arguments, environment, what the one line says]
const wrong = [
  [[], {}, null],
  [['sreve'], {}, /did you mean serve\?/],
  [['bench'], {}, /unknown command bench/],
  [['sub'], {}, /name 1 to 100 topics/],
  [['sub', '--jsno', 'x'], {}, /unknown option --jsno, did you mean --json\?/],
  [['sub', '-x', 'x'], {}, /unknown option -x/],
  [['sub', '--count'], {}, /--count needs a value: --count N/],
  [['sub', '--count', 'many', 'x'], {}, /--count many: write a number/],
  [['sub', '--count=0', 'x'], {}, /--count 0: it must be 1 to/],
  [['sub', '--json=1', 'x'], {}, /--json takes no value/],
  [['sub', '--timeout', '5', 'x'], {}, /--timeout 5: .*unit/],
  [['sub', '--backoff', '9s..1s', 'x'], {}, /--backoff 9s\.\.1s: the first duration/],
  [['sub', '-u', 'ftp://example.org', 'x'], {}, /must begin with http:\/\/ or https:\/\//],
  [['sub', '-u', 'localhost:8080', 'x'], {}, /must begin with http:\/\//],
  [['sub', 'x'], { CRIER_URL: 'http://user:secret@localhost' }, /must not hold a user name/],
  [['sub', 'a//b'], {}, /a\/\/b: /],
  [['sub', 'a*'], {}, /a\*: /],
  [['sub', 'x'], { CRIER_TOKEN: 'two words' }, /CRIER_TOKEN is no token/],
  [['pub'], {}, /name one topic/],
  [['pub', 'a', 'b', 'c'], {}, /name one topic/],
  [['pub', 'a/*', 'x'], {}, /a\/\*: /],
  [['pub', '-k', 'key', 'a'], {}, /--key is for one event/],
  [['pub', '--raw', 'a', 'x'], {}, /--raw is for standard input/],
  [['pub', '-e', 'crier:x', 'a', 'x'], {}, /--event crier:x: /],
  [['pub', '--ttl', 'soon', 'a', 'x'], {}, /--ttl soon: /],
  [['pub', '--retry', '1', 'a', 'x'], {}, /--retry 1: it must be 500 to 3600000/],
  [['pub', 'a', '-1'], {}, /unknown option -1; .*after --/],
  [['serve', 'x'], {}, /takes options only/],
  [['serve', '--listen', '8080'], {}, /--listen 8080: /],
  [['serve', '--history-age', '5'], {}, /--history-age 5: .*unit/],
  [['serve', '--liste', ':80'], {}, /did you mean --listen\?/],
  [['serve', '--listen', ':8080'], {}, /--anonymous-publish/],
  [['serve', '--host', 'events.example.org'], {}, /--anonymous-publish/],
  [['serve', '--host', 'http://events.example.org'], {}, /without scheme/],
  [['serve', '--cors-origin', 'https://example.org/'], {}, /without a path/],
  [['serve', '--anonymous-publish'], { CRIER_PUBLISH_TOKEN: 'sixteen-bytes-or-more' }, /contradict/],
  [['serve'], { CRIER_WORKERS: 'all' }, /CRIER_WORKERS all: write a number/],
  [['serve'], { CRIER_DEMO: 'perhaps' }, /CRIER_DEMO perhaps: write 1 or 0/],
  [['serve'], { CRIER_LISTEN: '127.0.0.1:1, nonsense' }, /CRIER_LISTEN nonsense: /],
  [['serve', '--max-event-size', '2M', '--history-bytes', '1M'], {}, /--max-event-size must not be larger/],
];

for (const [args, env, words] of wrong) {
  test(`wrong: ${Object.entries(env).map(([name, value]) => `${name}=${value} `).join('')}crier ${args.join(' ')}`, async (t) => {
    const result = await run(t, args, { env });
    assert.equal(result.status, 2);
    assert.equal(result.stdout, '');
    if (!words) return;
    assert.match(result.stderr, /^crier[^\n]*\n$/, 'one line');
    assert.match(result.stderr, words);
  });
}
