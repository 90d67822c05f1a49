// SPDX-License-Identifier: MIT
// Certificates for a test, made by openssl(1): an authority, and servers' certificates of it or of nobody.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const DAY = 86_400_000;

// "20260102030405Z"
function stamp(date) {
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}

export class Authority {
  #folder;

  // after: what runs a function when the tests are over.
  constructor(after) {
    this.#folder = mkdtempSync(join(tmpdir(), 'crier-ca-'));
    after(() => rmSync(this.#folder, { recursive: true, force: true }));
    writeFileSync(this.#path('index'), '');
    writeFileSync(this.#path('ca.cnf'), ['[ca]', 'default_ca=c', '[c]', `database=${this.#path('index')}`,
      `new_certs_dir=${this.#folder}`, 'rand_serial=yes', 'default_md=sha256', 'policy=p', 'unique_subject=no',
      'copy_extensions=copy', '[p]', 'commonName=supplied', ''].join('\n'));
    this.#request('ca', '/CN=Test authority', ['-x509', '-days', '30']);
  }

  #path(name) { return join(this.#folder, name); }

  #request(name, subject, args) {
    const extension = args.includes('-x509') ? 'crt' : 'csr';
    execFileSync('openssl', ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', subject,
      '-keyout', this.#path(`${name}.key`), '-out', this.#path(`${name}.${extension}`), ...args], { stdio: 'pipe' });
  }

  #pair(name) {
    return { key: readFileSync(this.#path(`${name}.key`)), cert: readFileSync(this.#path(`${name}.crt`)) };
  }

  // The file to trust.
  get file() { return this.#path('ca.crt'); }

  // { key, cert } for names as in 'DNS:localhost,IP:127.0.0.1', valid from and for so many days.
  server(name, names, { from = -1, days = 10 } = {}) {
    this.#request(name, `/CN=${name}`, ['-addext', `subjectAltName=${names}`]);
    const start = new Date(Date.now() + from * DAY);
    execFileSync('openssl', ['ca', '-batch', '-notext', '-config', this.#path('ca.cnf'), '-cert', this.file,
      '-keyfile', this.#path('ca.key'), '-in', this.#path(`${name}.csr`), '-out', this.#path(`${name}.crt`),
      '-startdate', stamp(start), '-enddate', stamp(new Date(start.getTime() + days * DAY))], { stdio: 'pipe' });
    return this.#pair(name);
  }

  // One that nobody vouches for; and the file to trust it by itself.
  selfSigned(name, names) {
    this.#request(name, `/CN=${name}`, ['-x509', '-days', '30', '-addext', `subjectAltName=${names}`]);
    return { ...this.#pair(name), file: this.#path(`${name}.crt`) };
  }

  // A file with that in it.
  write(name, text) {
    writeFileSync(this.#path(name), text);
    return this.#path(name);
  }
}
