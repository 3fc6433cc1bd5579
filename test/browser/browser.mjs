// Shared by the browser tests: the installed Chromium, axe, and the vendor's commands.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const base = process.env.TOKSTA_BASE;
const binary = process.env.TOKSTA_BIN;
const socket = process.env.TOKSTA_SOCKET;

// operator runs a command of the program and returns its JSON.
export function operator(...args) {
  const out = execFileSync(binary, [...args, '--socket', socket, '-o', 'json'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return out.trim() ? JSON.parse(out) : null;
}

// call sends one request with a secret to the API.
export async function call(secret, method, path) {
  const response = await fetch(base + path, {
    method,
    headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
    body: method === 'POST' ? '{}' : undefined,
  });
  return { status: response.status, body: await response.json() };
}

const chromiumOptions = {
  executablePath: process.env.TOKSTA_CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-quic',
    '--no-first-run', '--disable-component-update', '--disable-sync'],
};

// launch starts a browser. Its contexts block third-party cookies.
export async function launch() {
  return chromium.launch(chromiumOptions);
}

// launchProfile starts a browser with a new profile in the directory, which keeps third-party cookies.
export async function launchProfile(directory, options) {
  await mkdir(join(directory, 'Default'));
  await writeFile(join(directory, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0 } }));
  return chromium.launchPersistentContext(directory, { ...chromiumOptions, ...options });
}

// colorRules are the rules of axe whose result depends on colors.
const colorRules = ['color-contrast', 'link-in-text-block'];

// violations returns the violations that axe finds on the page in a color scheme. It needs
// JavaScript in the page. Without rules, axe checks all.
export async function violations(page, colorScheme, rules) {
  await page.emulateMedia({ colorScheme });
  return page.evaluate(async ([source, only]) => {
    if (!window.axe) new Function(source)();
    const r = await window.axe.run(document, { resultTypes: ['violations'], ...(only && { runOnly: only }) });
    return r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
  }, [axeSource, rules]);
}

// checkPage fails if axe finds a violation on the page in light or dark mode, or if the
// page scrolls sideways. Without rules, axe checks all in light mode and those that depend
// on colors in dark mode: the modes have the same elements.
export async function checkPage(page, name, rules) {
  for (const colorScheme of ['light', 'dark']) {
    const found = await violations(page, colorScheme, rules ?? (colorScheme === 'dark' ? colorRules : undefined));
    assert.deepEqual(found, [], `axe on ${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, `${name} scrolls sideways`);
}

// run executes the named journeys one after another and exits the process.
export async function run(journeys) {
  const browser = await launch();
  let failed = 0;
  for (const [name, journey] of Object.entries(journeys)) {
    const start = performance.now();
    try {
      await journey(browser);
      console.log(`ok ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (err) {
      failed++;
      console.log(`FAIL ${name}\n${err.stack}`);
    }
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
}

export { assert };
