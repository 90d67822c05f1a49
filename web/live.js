// SPDX-License-Identifier: MIT
//
// The live page: follow a topic or pattern, watch its events, publish one.
//
//     page address ──▶ Stream (EventSource, resumes by itself) ──▶ Log (rows), Charts (cards)
//                                                              └─▶ status line and counters
//
// What holds everywhere:
//   - Text of an event is only ever put into text nodes: no HTML is made from it.
//   - Nothing grows without bound: rows, points of a chart and cards have limits.
//   - The stream asks for envelopes, so that one onmessage sees all types, topics and times.
//   - The last id is kept here too, not only in the EventSource: browsers give an EventSource up
//     for good after any status but 200 (a proxy's 502 while the hub restarts), some also after
//     other failures. A new one is made then, which says where the last one stood, and so nothing
//     is lost.

const ROWS = 500; // in the list; older ones leave
const SHOWN = 1000; // characters of one event's data shown unasked
const POINTS = 160; // of a chart
const CARDS = 4; // of each kind
const RECENT = 'last:50'; // history a page starts with
const SLOW = 8000; // ms without a connection before the page says what may help

const $ = (id) => document.getElementById(id);

/** An element with text or elements in it; never HTML. */
function make(name, className, ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

function draw(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// ---------------------------------------------------------------------------------------------
// The page's address says what is followed: /events/news, /events?topic=a&topic=b/*, or / alone.

function selectorsOfPage() {
  const named = new URLSearchParams(location.search).getAll('topic').filter(Boolean);
  const path = /^\/events\/(.+)$/.exec(location.pathname);
  if (!path) return named;
  try {
    return [decodeURIComponent(path[1]), ...named];
  } catch {
    return [path[1], ...named];
  }
}

/** "a, b/*" as typed; none is a list of none. */
function selectorsTyped(text) {
  return text.split(',').map((part) => part.trim()).filter(Boolean);
}

/** A topic as a path. Null where a browser would change the path on its way ('..', '.', ''). */
function pathOf(topic) {
  const segments = topic.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return null;
  // A quote may stand in a path, but not in the example for the shell.
  return segments.map((segment) => encodeURIComponent(segment).replaceAll("'", '%27')).join('/');
}

function pageOf(selectors) {
  const path = selectors.length === 1 ? pathOf(selectors[0]) : null;
  if (path) return `/events/${path}`;
  return `/events?${new URLSearchParams(selectors.map((selector) => ['topic', selector]))}`;
}

/** What a problem document says, whatever the answer was. */
async function problemOf(response) {
  try {
    const { title, detail } = await response.json();
    if (title) return { title: String(title), detail: String(detail ?? '') };
  } catch {
    // not a problem document: the status has to do
  }
  return { title: `The hub answered ${response.status}`, detail: response.statusText };
}

// ---------------------------------------------------------------------------------------------
// The stream.
//
//     connecting ──open──▶ open ──error──▶ reconnecting (the browser's own) ──open──▶ open
//          │                                    │
//          └───────────── closed ───────────────┴──▶ why? (one request) ──▶ waiting ──▶ connecting
//                                                              └─ refused ──▶ failed

class Stream {
  #selectors;
  #options; // since and event of the page's address
  #on; // { state, connected, gap, event }
  #source = null;
  #timer = 0;
  #tries = 0; // since it last worked
  #lastId = '';
  #round = 0; // answers that come after close() or open() are recognised by it

  constructor(selectors, options, on) {
    this.#selectors = selectors;
    this.#options = options;
    this.#on = on;
  }

  #url() {
    const url = new URL('/events', location.href);
    for (const selector of this.#selectors) url.searchParams.append('topic', selector);
    for (const type of this.#options.getAll('event')) url.searchParams.append('event', type);
    url.searchParams.set('envelope', '1');
    if (this.#lastId) url.searchParams.set('lastEventId', this.#lastId);
    else url.searchParams.set('since', this.#options.get('since') || RECENT);
    return url;
  }

  /** Connects, or connects anew; resumes after the last id seen. */
  open() {
    this.close();
    const source = new EventSource(this.#url());
    this.#source = source;
    this.#on.state(this.#lastId ? 'reconnecting' : 'connecting');

    source.onopen = () => {
      this.#on.state('open');
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#givenUp();
      else this.#on.state('reconnecting');
    };
    source.onmessage = (message) => {
      this.#seen(message);
      this.#on.event(message.lastEventId, message.data);
    };
    source.addEventListener('crier:connected', (message) => {
      this.#seen(message);
      this.#on.connected(message.data);
    });
    source.addEventListener('crier:gap', (message) => {
      this.#seen(message);
      this.#on.gap(message.data);
    });
  }

  close() {
    this.#round += 1;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** At once instead of later; only if it waits. */
  hurry() {
    if (!this.#source && this.#timer) this.open();
  }

  #seen(message) {
    this.#tries = 0;
    if (message.lastEventId) this.#lastId = message.lastEventId;
  }

  /** The browser will not try again. Asks why, then waits a growing, jittered time. */
  async #givenUp() {
    this.close();
    const round = this.#round;
    const refusal = await this.#ask();
    if (round !== this.#round) return;
    if (refusal) {
      this.#on.state('failed', refusal);
      return;
    }
    const most = Math.min(30000, 500 * 2 ** this.#tries);
    this.#tries += 1;
    this.#wait(performance.now() + most * (0.5 + Math.random() / 2));
  }

  #wait(until) {
    const left = until - performance.now();
    if (left <= 0) {
      this.open();
      return;
    }
    this.#on.state('waiting', Math.ceil(left / 1000));
    this.#timer = setTimeout(() => this.#wait(until), Math.min(left, 1000));
  }

  /** The problem, if the hub refuses this stream and would again; null if it is worth trying. */
  async #ask() {
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), 5000);
    try {
      const response = await fetch(this.#url(), {
        headers: { Accept: 'text/event-stream' },
        cache: 'no-store',
        signal: stop.signal,
      });
      const passing = response.ok || response.status >= 500 || [408, 429].includes(response.status);
      return passing ? null : await problemOf(response);
    } catch {
      return null; // unreachable, for now
    } finally {
      clearTimeout(late);
      stop.abort();
    }
  }
}

// ---------------------------------------------------------------------------------------------
// The list. Newest first: what was just published is where one looks, and reading further down is
// not disturbed. Rows are put in once per frame, however many events came.

class Log {
  #waiting = []; // rows not yet put in: newest last, at most ROWS
  #paused = false;
  #frame = 0;
  #fallback = 0;

  add(row) {
    this.#waiting.push(row);
    if (this.#waiting.length > ROWS) this.#waiting.shift();
    if (this.#paused) this.#label();
    else this.#soon();
  }

  pause(paused) {
    this.#paused = paused;
    this.#label();
    if (!paused) this.#soon();
  }

  clear() {
    this.#waiting.length = 0;
    $('rows').replaceChildren();
    $('empty').hidden = false;
    this.#label();
  }

  #label() {
    const held = this.#waiting.length;
    $('pause').setAttribute('aria-pressed', String(this.#paused));
    $('pause').textContent = this.#paused ? `Resume${held ? ` (${held === ROWS ? `${ROWS}+` : held} new)` : ''}` : 'Pause';
  }

  /** With the next frame, or a little later in a tab that draws none. */
  #soon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => this.#put());
    this.#fallback = setTimeout(() => this.#put(), 300);
  }

  #put() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#fallback);
    this.#frame = 0;
    if (this.#paused || this.#waiting.length === 0) return;
    const rows = $('rows');
    const fresh = this.#waiting.splice(0).map((row) => row());
    $('empty').hidden = true;
    rows.prepend(...fresh.reverse());
    while (rows.childElementCount > ROWS) rows.lastElementChild.remove();
  }
}

/** Each topic has a colour of its own, the same every time; none looks like an alarm. */
function hueOf(topic) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const char of topic) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193) >>> 0;
  return 150 + (hash % 170);
}

/** "09:03:34.123" in the reader's own zone. */
function clockOf(time) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return '';
  const two = (n) => String(n).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

function dataOf(text) {
  const data = make('pre', 'data');
  if (text === '') data.append(make('span', 'none', 'no data'));
  else data.append(text.slice(0, SHOWN));
  if (text.length > SHOWN) {
    const all = make('button', '', `Show all ${text.length.toLocaleString('en')} characters`);
    all.type = 'button';
    all.addEventListener('click', () => data.replaceChildren(text));
    data.append('…', all);
  }
  return data;
}

function eventRow(event) {
  const row = make('li', 'event fresh');
  const time = make('time', '', clockOf(event.time));
  time.dateTime = time.title = event.time;
  const topic = make('span', 'topic', event.topic);
  topic.style.setProperty('--hue', hueOf(event.topic));
  const labels = make('span', 'labels', topic);
  if (event.event !== 'message') labels.append(make('span', 'type', event.event));
  row.dataset.id = event.id;
  row.append(time, labels, make('span', 'id', event.id), dataOf(event.data));
  return row;
}

const reasons = {
  evicted: 'they have left the history before this page could read them.',
  unknown: 'the hub does not know the position this page had reached: most likely it was restarted, or its history was emptied.',
  lagged: 'this page fell further behind than the history reaches back.',
};

function gapRow(text) {
  let gap = {};
  try {
    gap = JSON.parse(text) ?? {};
  } catch {
    // told all the same
  }
  const row = make('li', 'gap', make('strong', '', 'Gap. '), 'Events may be missing here: ');
  row.dataset.reason = gap.reason ?? '';
  row.append(reasons[gap.reason] ?? 'the hub does not say why.');
  row.append(' Asked for what came after ', make('code', '', gap.requested ?? 'the start'));
  row.append(', the oldest still held is ', make('code', '', gap.oldest ?? 'none'), '.');
  return row;
}

// ---------------------------------------------------------------------------------------------
// Cards: a chart for each topic that sends prices, a bar for each that reports progress.

class PriceCard {
  #points = [];
  #name = make('span', '');
  #value = make('b', '', '–');
  #change = make('span', '');
  #low = make('span', '');
  #high = make('span', '');
  #line = draw('polyline', { class: 'line', points: '' });
  #area = draw('polygon', { class: 'area', points: '' });
  #chart = draw('svg', { class: 'chart', viewBox: '0 0 300 96', preserveAspectRatio: 'none', role: 'img' });

  constructor(topic) {
    for (const y of [1, 48, 95]) this.#chart.append(draw('line', { class: 'grid', x1: 0, x2: 300, y1: y, y2: y }));
    this.#chart.append(this.#area, this.#line);
    this.element = make('section', 'card live chart-card',
      make('h2', '', make('span', '', topic), this.#name),
      make('div', 'price', this.#value, this.#change), this.#chart,
      make('div', 'range', this.#low, this.#high));
  }

  show({ symbol, price }) {
    const before = this.#points.at(-1) ?? price;
    this.#points.push(price);
    if (this.#points.length > POINTS) this.#points.shift();
    const step = price - before;
    this.#name.textContent = typeof symbol === 'string' ? symbol : '';
    this.#value.textContent = price.toFixed(2);
    this.#change.textContent = `${step < 0 ? '▼' : '▲'} ${Math.abs(step).toFixed(2)}`;
    this.#change.className = step < 0 ? 'down' : 'up';
    this.#draw();
  }

  #draw() {
    const low = Math.min(...this.#points);
    const high = Math.max(...this.#points);
    const scale = high > low ? 86 / (high - low) : 0;
    const right = Math.max(this.#points.length - 1, 1);
    const points = this.#points.map((price, i) =>
      `${((i / right) * 300).toFixed(1)},${(scale ? 91 - (price - low) * scale : 48).toFixed(1)}`).join(' ');
    this.#line.setAttribute('points', points);
    this.#area.setAttribute('points', `0,96 ${points} 300,96`);
    this.#low.textContent = `low ${low.toFixed(2)}`;
    this.#high.textContent = `high ${high.toFixed(2)}`;
    this.#chart.setAttribute('aria-label', `The last ${this.#points.length} prices, from ${low.toFixed(2)} to ${high.toFixed(2)}`);
  }
}

class ProgressCard {
  #state = make('span', '');
  #bar = make('progress', '');

  constructor(topic) {
    this.#bar.max = 100;
    this.#bar.setAttribute('aria-label', `Progress of ${topic}`);
    this.element = make('section', 'card live progress-card', make('h2', '', make('span', '', topic), this.#state), this.#bar);
  }

  show({ job, percent, status }) {
    this.#bar.value = Math.min(Math.max(percent, 0), 100);
    const what = [typeof job === 'number' || typeof job === 'string' ? `job ${job}` : '', typeof status === 'string' ? status : ''];
    this.#state.textContent = [...what, `${Math.round(percent)} %`].filter(Boolean).join(' · ');
  }
}

class Cards {
  #cards = new Map();
  #kinds = {
    'price-update': { Card: PriceCard, fits: (value) => Number.isFinite(value?.price) },
    progress: { Card: ProgressCard, fits: (value) => Number.isFinite(value?.percent) },
  };

  show({ event, topic, data }) {
    const kind = Object.hasOwn(this.#kinds, event) ? this.#kinds[event] : null;
    if (!kind || data.length > 1000) return;
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      return;
    }
    if (!kind.fits(value)) return;
    const key = `${event} ${topic}`;
    if (!this.#cards.has(key)) {
      if (this.#cards.size >= CARDS) return;
      this.#cards.set(key, new kind.Card(topic));
      $('cards').append(this.#cards.get(key).element);
    }
    this.#cards.get(key).show(value);
  }

  clear() {
    this.#cards.clear();
    $('cards').replaceChildren();
  }
}

// ---------------------------------------------------------------------------------------------
// The page: one stream at a time, and what it says.

const log = new Log();
const cards = new Cards();
const counts = { events: 0, reconnects: 0, gaps: 0 };
let stream = null;
let following = [];
let opened = false; // this stream was open before: the next time is a reconnect
let slow = 0; // timer

function count(name, add) {
  counts[name] = add === undefined ? 0 : counts[name] + add;
  $(`count-${name}`).textContent = counts[name].toLocaleString('en');
}

function showProblem(problem) {
  $('problem').hidden = !problem;
  $('problem-title').textContent = problem?.title ?? '';
  $('problem-detail').textContent = problem?.detail ?? '';
}

const stillWaiting = {
  title: 'Still no connection',
  detail: 'The hub has not answered yet. If other tabs follow the same hub, close some of them: over HTTP/1.1 a browser opens at most six connections to one host.',
};

function showState(state, more) {
  const texts = {
    connecting: 'Connecting',
    open: 'Live',
    reconnecting: 'Reconnecting',
    waiting: `No answer, next try in ${more} s`,
    failed: 'Refused',
  };
  if (state === 'open') {
    if (opened) count('reconnects', 1);
    opened = true;
  }
  const shown = $('state');
  // A countdown is not told again every second to those who listen to the page.
  if (shown.dataset.state !== state) shown.setAttribute('aria-live', state === 'waiting' ? 'off' : 'polite');
  shown.dataset.state = state;
  shown.textContent = texts[state];
  document.body.dataset.state = state;
  $('retry').textContent = state === 'failed' ? 'Try again' : 'Try now';
  $('retry').hidden = state !== 'waiting' && state !== 'failed';
  showProblem(state === 'failed' ? more : null);
  clearTimeout(slow);
  if (state === 'connecting' || state === 'reconnecting') slow = setTimeout(() => showProblem(stillWaiting), SLOW);
}

const on = {
  state: showState,
  connected(text) {
    if (counts.reconnects === 0) return;
    const exact = text.includes('"resumed":"exact"');
    log.add(() => make('li', 'note', exact ? 'Connected again; nothing was missed.' : 'Connected again.'));
  },
  gap(text) {
    count('gaps', 1);
    $('told').textContent = `Gap ${counts.gaps}: events may be missing.`;
    log.add(() => gapRow(text));
  },
  event(id, text) {
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      event = { id, topic: '', event: 'message', data: text, time: '' }; // an intermediary's, not the hub's
    }
    count('events', 1);
    log.add(() => eventRow(event));
    cards.show(event);
  },
};

function follow(selectors) {
  stream?.close();
  following = selectors;
  opened = false;
  for (const name of Object.keys(counts)) count(name);
  log.clear();
  cards.clear();
  const name = selectors.join(', ');
  $('selector').value = name;
  $('events-title').textContent = name;
  document.title = `${name} · Crier`;
  const topic = selectors.find((selector) => !selector.includes('*')) ?? (name === 'demo/**' ? 'demo/hello' : 'hello');
  if (!$('publisher').contains(document.activeElement)) $('topic').value = topic;
  $('example').textContent = `curl -d 'hello' '${location.origin}/events/${pathOf(topic) ?? 'hello'}'`;
  stream = new Stream(selectors, new URLSearchParams(location.search), on);
  stream.open();
}

function bearer() {
  const token = $('token').value.trim();
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Topics the hub has: for the suggestions, and for where to start. Null when it will not say. */
async function topicsOfHub() {
  try {
    const response = await fetch('/-/topics?limit=200', { headers: { Accept: 'application/json', ...bearer() }, cache: 'no-store' });
    if (!response.ok) return null;
    const { topics } = await response.json();
    const names = topics.map((topic) => topic.topic ?? topic).filter((topic) => typeof topic === 'string');
    $('topics').replaceChildren(...names.map((topic) => {
      const option = make('option', '');
      option.value = topic;
      return option;
    }));
    return names;
  } catch {
    return null;
  }
}

/** Where a page without a topic starts: the demonstration where there is one or patterns over all are
 *  not for everyone, else everything. */
async function start() {
  const named = selectorsOfPage();
  const topics = topicsOfHub();
  if (named.length > 0) {
    follow(named);
    return;
  }
  const names = await topics;
  const everything = names && !names.some((name) => name.startsWith('demo/'));
  follow([everything ? '**' : 'demo/**']);
}

async function publish() {
  const path = pathOf($('topic').value.trim());
  const say = (kind, ...content) => {
    $('published').dataset.kind = kind;
    $('published').replaceChildren(...content);
  };
  if (!path) {
    say('bad', 'A topic has no empty part, and no part that is “.” or “..”.');
    return;
  }
  const type = $('type').value.trim();
  say('', 'Publishing…');
  try {
    const response = await fetch(`/events/${path}${type ? `?event=${encodeURIComponent(type)}` : ''}`, {
      method: 'POST',
      headers: { Accept: 'application/json', 'Content-Type': 'text/plain', ...bearer() },
      body: $('data').value,
    });
    if (response.ok) {
      const { id } = await response.json();
      say('good', `Published as ${id}`);
    } else {
      const { title, detail } = await problemOf(response);
      say('bad', make('strong', '', title), detail);
      if (response.status === 401) $('token-part').open = true;
    }
  } catch {
    say('bad', make('strong', '', 'The hub cannot be reached'), 'Whether the event was published is not known.');
  }
}

$('follow').addEventListener('submit', (submit) => {
  submit.preventDefault();
  const selectors = selectorsTyped($('selector').value);
  if (selectors.length === 0) return;
  history.pushState(null, '', pageOf(selectors));
  follow(selectors);
});

$('publish').addEventListener('submit', async (submit) => {
  submit.preventDefault();
  const button = submit.submitter ?? $('publish').querySelector('button');
  button.disabled = true;
  await publish();
  button.disabled = false;
});

$('data').addEventListener('keydown', (key) => {
  if (key.key === 'Enter' && (key.ctrlKey || key.metaKey)) $('publish').requestSubmit();
});

$('pause').addEventListener('click', () => log.pause($('pause').getAttribute('aria-pressed') !== 'true'));
$('clear').addEventListener('click', () => log.clear());
$('retry').addEventListener('click', () => stream.open());
$('selector').addEventListener('focus', topicsOfHub);
$('selector').addEventListener('focus', () => $('selector').select());

// A page in the back/forward cache must not hold a connection; when it comes back it goes on where
// it was. A reloaded page must not show the error of its dying stream (Firefox).
addEventListener('pagehide', () => stream?.close());
addEventListener('pageshow', (show) => {
  if (show.persisted) stream?.open();
});
addEventListener('popstate', () => {
  const selectors = selectorsOfPage();
  if (selectors.length === 0) start();
  else if (selectors.join() !== following.join()) follow(selectors);
});
addEventListener('online', () => stream?.hurry());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) stream?.hurry();
});

if (matchMedia('(min-width: 900px)').matches) $('publisher').open = true;
start();
