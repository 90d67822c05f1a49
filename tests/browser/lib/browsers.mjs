// SPDX-License-Identifier: MIT
//
// The two browsers the tests run in, each with a fresh empty profile and nothing that would talk to
// the outside by itself. A browser that is not installed is skipped, unless CRIER_BROWSERS (comma-
// separated: chromium,firefox) names it: then its absence is a failure.
//
//   dark      launch({ dark: true }) is a browser whose user prefers dark pages.
//   foreign   a host name of an outsider that this browser resolves to 127.0.0.1, as DNS rebinding
//             does it. Anything else but this machine is not resolved at all.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

export const foreign = 'evil.example';

const chromiumPath = process.env.CRIER_CHROMIUM ?? '/usr/bin/chromium';
const firefoxPath = process.env.CRIER_FIREFOX ?? '/usr/bin/firefox-esr';

function launchChromium(profile, { dark }) {
  return puppeteer.launch({
    browser: 'chrome',
    executablePath: chromiumPath,
    headless: true,
    userDataDir: profile,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ...(dark ? ['--blink-settings=preferredColorScheme=0'] : []),
      `--host-resolver-rules=MAP ${foreign} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1`,
    ],
  });
}

function launchFirefox(profile, { dark }) {
  return puppeteer.launch({
    browser: 'firefox',
    protocol: 'webDriverBiDi',
    // Its crash helper may outlive it, and holds its pipes open.
    env: { ...process.env, MOZ_CRASHREPORTER_DISABLE: '1' },
    executablePath: firefoxPath,
    headless: true,
    userDataDir: profile,
    extraPrefsFirefox: {
      'network.dns.localDomains': foreign, // resolved as if it were localhost
      'layout.css.prefers-color-scheme.content-override': dark ? 0 : 1,
      'network.trr.mode': 5,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'browser.safebrowsing.update.enabled': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      'app.normandy.enabled': false,
      'dom.security.https_first': false,
    },
  });
}

async function launch(name, start, { dark = false } = {}) {
  const profile = mkdtempSync(join(tmpdir(), `crier-${name}-`));
  const browser = await start(profile, { dark });
  const close = async () => {
    const { stdout, stderr } = browser.process() ?? {};
    await browser.close();
    // A helper of the browser that is still on its way out must not keep the tests waiting.
    stdout?.destroy();
    stderr?.destroy();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { name, browser, close };
}

const all = [
  { name: 'chromium', path: chromiumPath, launch: (options) => launch('chromium', launchChromium, options) },
  { name: 'firefox', path: firefoxPath, launch: (options) => launch('firefox', launchFirefox, options) },
];
const wanted = process.env.CRIER_BROWSERS?.split(',');

/** The browsers to run in: [{ name, launch, skip }]; skip says why, or is false. */
export const browsers = all
  .filter((b) => !wanted || wanted.includes(b.name))
  .map((b) => ({ ...b, skip: !wanted && !existsSync(b.path) ? `${b.path} is not installed` : false }));
