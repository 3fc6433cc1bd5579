// The keys in a frame of the vendor's page, which examples/embed serves from another site: create,
// rotate and revoke a key, the height of the frame, and the attacks of other pages. It runs with
// third-party cookies allowed and blocked.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, base, call, checkPage, launchProfile, operator, run } from './browser.mjs';

const port = process.env.VENDOR_PORT;
const vendor = `http://127.0.0.1:${port}`;
const example = spawn('node', ['../../examples/embed/server.mjs'], { env: { ...process.env, PORT: port, PAGES: base }, stdio: ['ignore', 'pipe', 'inherit'] });
await once(example.stdout, 'data');
process.on('exit', () => example.kill());

for (const company of ['analytical', 'cobol']) {
  operator('accounts', 'create', company, '--external-id', company, '--plan', 'API_SCALE', '--status', 'active');
}

// other serves a page of an origin that may not embed the keys, with the body that frames names.
const bodies = {};
const other = http.createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><title>Other</title>${bodies[request.url] ?? ''}`);
});
other.listen(0, '127.0.0.1');
await once(other, 'listening');
const otherPort = other.address().port;
const sibling = `http://127.0.0.1:${otherPort}`; // another origin of the vendor's site
const stranger = `http://stranger.localhost:${otherPort}`; // of another site

// enter signs a person in to the vendor's page and returns the frame with the keys.
async function enter(page, name) {
  await page.goto(vendor);
  await page.getByRole('button', { name }).click();
  await page.waitForURL(`${vendor}/api-keys`);
  return page.frameLocator('iframe[data-toksta]');
}

// frameHeight waits until the frame is as high as its content, and returns the height.
async function frameHeight(page) {
  const element = await page.locator('iframe[data-toksta]').elementHandle();
  const frame = await element.contentFrame();
  await frame.waitForLoadState();
  let shown, content;
  for (let i = 0; i < 50; i++) {
    content = await frame.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height)).catch(() => 0);
    shown = (await element.boundingBox()).height;
    if (content > 0 && shown === content) return shown;
    await page.waitForTimeout(100);
  }
  assert.fail(`the frame is ${shown} px high, its content ${content} px`);
}

// thirdPartyCookies returns the cookies that the browser sends to a frame of another site after the
// frame has set an ordinary and a partitioned one.
async function thirdPartyCookies(context) {
  let cookies;
  const tracker = http.createServer((request, response) => {
    cookies = request.headers.cookie ?? '';
    response.writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': ['ordinary=1; Secure; SameSite=None', 'kept=1; Secure; SameSite=None; Partitioned; Path=/'] }).end('<!doctype html>');
  });
  tracker.listen(0, '127.0.0.1');
  await once(tracker, 'listening');
  bodies['/tracker'] = `<iframe src="http://tracker.localhost:${tracker.address().port}/"></iframe>`;
  const page = await context.newPage();
  await page.goto(`${sibling}/tracker`);
  await page.reload();
  await page.close();
  tracker.close();
  return cookies.split('; ').sort();
}

// keys creates, uses and revokes a key in the frame, and follows its height.
async function keys(context) {
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept());
  const messages = [];
  await page.exposeFunction('heard', (text) => messages.push(text));
  await page.addInitScript(() => { if (window === top) addEventListener('message', (event) => window.heard(JSON.stringify([event.origin, event.data]))); });
  const frame = await enter(page, 'Ada Lovelace');
  await frame.getByRole('heading', { name: 'analytical' }).waitFor();
  const empty = await frameHeight(page);
  assert.ok(empty !== 640, 'the height did not follow');

  await frame.getByRole('link', { name: 'Create key' }).click();
  await frame.getByLabel('Name', { exact: true }).fill('In a frame');
  const form = await frameHeight(page);
  assert.notEqual(form, empty, 'the height did not follow');
  await frame.getByRole('button', { name: 'Create key' }).click();
  const secret = await frame.getByLabel('Secret', { exact: true }).inputValue();
  console.log(`secret ${secret}`);
  assert.match(secret, /^tk_live_[0-9a-f]{48}$/);
  assert.equal((await call(secret, 'POST', '/v1/creators/search')).status, 200);
  await frame.getByRole('link', { name: 'I have stored this key' }).click();
  await frame.getByRole('heading', { name: 'In a frame' }).waitFor();
  await frameHeight(page);

  await frame.getByRole('link', { name: 'Revoke In a frame' }).click();
  await frame.getByLabel(/^Type/).fill('In a frame');
  await frame.getByRole('button', { name: 'Revoke In a frame' }).click();
  await frame.getByRole('heading', { name: 'In a frame is revoked' }).waitFor();
  assert.equal((await call(secret, 'POST', '/v1/creators/search')).status, 401);
  await frame.getByRole('link', { name: 'Done' }).click();
  await frame.getByText('No live keys.').waitFor();

  // The page around hears heights only, and from the pages' origin only.
  assert.ok(messages.length > 3);
  for (const text of messages) {
    const [origin, data] = JSON.parse(text);
    assert.equal(origin, base);
    assert.deepEqual(Object.keys(data).sort(), ['embed', 'height'], text);
  }
  assert.ok(!messages.join().includes(secret));

  // The frame has no ordinary session, and the link does not work again.
  const link = await page.locator('iframe').getAttribute('src');
  console.log(`secret ${new URL(link).searchParams.get('code')}`);
  const account = await context.newPage();
  await account.goto(`${base}/account`);
  assert.match(account.url(), /\/signin\?/);
  await page.evaluate((src) => { document.querySelector('iframe').src = src; }, link);
  await frame.getByRole('heading', { name: 'This view has expired' }).waitFor();
  await account.close();
  return { page, frame };
}

const journeys = {
  async 'keys in a frame, with third-party cookies blocked'(browser) {
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    context.setDefaultTimeout(10_000);
    assert.deepEqual(await thirdPartyCookies(context), ['kept=1']);
    const { page, frame } = await keys(context);
    // An expired session: the event reaches the page, and the link leads to a new session.
    await page.evaluate(() => addEventListener('toksta:ended', () => { document.title = 'ended'; }));
    await page.evaluate(() => { const f = document.querySelector('iframe'); f.src = f.src.replace(/.$/, 'x'); });
    await page.waitForFunction(() => document.title === 'ended');
    await frame.getByRole('link', { name: 'Start again' }).click();
    await page.waitForURL(`${vendor}/api-keys`);
    await frame.getByRole('heading', { name: 'analytical' }).waitFor();
    await context.close();
  },

  async 'keys in a frame, with third-party cookies allowed'() {
    const directory = await mkdtemp(join(tmpdir(), 'profile-'));
    const context = await launchProfile(directory, { reducedMotion: 'reduce' });
    try {
      context.setDefaultTimeout(10_000);
      assert.deepEqual(await thirdPartyCookies(context), ['kept=1', 'ordinary=1']);
      await keys(context);
    } finally {
      await context.close();
      await rm(directory, { recursive: true, force: true });
    }
  },

  async 'keys in a frame on a phone, without scripts'(browser) {
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 320, height: 640 } });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const frame = await enter(page, 'Ada Lovelace');
    await frame.getByRole('link', { name: 'Create key' }).click();
    await frame.getByLabel('Name', { exact: true }).fill('Without scripts');
    await frame.getByRole('button', { name: 'Create key' }).click();
    console.log(`secret ${await frame.getByLabel('Secret', { exact: true }).inputValue()}`);
    await frame.getByRole('link', { name: 'I have stored this key' }).click();
    await frame.getByRole('heading', { name: 'Without scripts' }).waitFor();
    await context.close();
  },

  async 'a link in a window'(browser) {
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    await enter(page, 'Grace Hopper');
    await page.getByRole('link', { name: 'Open in a window' }).press('Enter'); // a click could meet the growing frame
    await page.waitForURL(`${base}/account`);
    await page.getByRole('heading', { name: 'Account', exact: true }).waitFor();
    assert.ok(!(await page.content()).includes('grace@cobol.example'), 'the page shows the address');
    await checkPage(page, 'account-bound');
    for (const path of ['/account/security', '/account/profile', '/confirm']) {
      assert.equal((await page.goto(base + path)).status(), 403, path);
    }
    // A link of another person asks first, and keeps the session unless the person agrees.
    await page.goto(vendor);
    await context.clearCookies({ name: 'app_session' });
    await enter(page, 'Ada Lovelace');
    await page.goto(`${vendor}/api-keys/open`);
    await page.getByRole('heading', { name: 'Open analytical?' }).waitFor();
    await checkPage(page, 'vendor-ask');
    await page.getByRole('link', { name: 'Stay in cobol' }).click();
    assert.ok(await page.locator('.account', { hasText: 'cobol' }).isVisible());
    await page.goto(`${vendor}/api-keys/open`);
    await page.getByRole('button', { name: 'Switch account' }).click();
    assert.ok(await page.locator('.account', { hasText: 'analytical' }).isVisible());
    await context.close();
  },

  async 'other pages cannot embed or act'(browser) {
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    await enter(page, 'Ada Lovelace');
    const id = operator('keys', 'list', 'analytical').at(-1).id;
    await page.locator('iframe').waitFor();
    const session = (await context.cookies()).find((c) => c.name === '__Host-embed_session');
    assert.ok(session?.secure && session.httpOnly && session.sameSite === 'None' && session.partitionKey, JSON.stringify(session));

    for (const origin of [sibling, stranger]) {
      const attacker = await context.newPage();
      const refused = [];
      attacker.on('console', (m) => { if (/frame-ancestors|X-Frame-Options/i.test(m.text())) refused.push(m.text()); });
      // Neither a fresh link, nor the pages of the running session, nor any other page can be framed.
      const { url } = operator('sessions', 'create', 'analytical', '--email', 'ada@analytical.example', '--embed');
      const framed = [url, `${base}/embed`, `${base}/account`, `${base}/signin`];
      bodies['/frame'] = framed.map((u) => `<iframe src="${u}"></iframe>`).join('');
      await attacker.goto(`${origin}/frame`);
      await attacker.waitForLoadState();
      for (const f of attacker.frames().slice(1)) {
        assert.ok(!(await f.content().catch(() => '')).includes('data-embed'), `${origin} frames ${f.url()}`);
      }
      assert.ok(refused.length >= framed.length, `${origin}: ${refused.length} frames were refused`);
      // A form of another page, sent to a frame and to the window, is rejected although the browser
      // of a sibling page sends the cookie.
      bodies['/form'] = `<form method="post" action="${base}/embed/keys/${id}/revoke"><input name="name" value="Without scripts"></form>`;
      await attacker.goto(`${origin}/form`);
      const [response] = await Promise.all([
        attacker.waitForNavigation({ url: /revoke/ }),
        attacker.evaluate(() => document.forms[0].submit()),
      ]);
      assert.equal(response.status(), 403, `a form of ${origin}`);
      await attacker.goto(`${origin}/form`);
      const sent = await attacker.evaluate(([target]) => fetch(target, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ name: 'Without scripts' }) }).then(() => 'sent', (e) => e.name), [`${base}/embed/keys/${id}/revoke`]);
      assert.ok(['sent', 'TypeError'].includes(sent));
      const read = await attacker.evaluate((target) => fetch(target, { credentials: 'include' }).then((r) => r.text(), (e) => e.name), `${base}/embed`);
      assert.equal(read, 'TypeError', `${origin} reads a page`);
      await attacker.close();
    }
    assert.equal(operator('keys', 'list', 'analytical').find((k) => k.id === id).state, 'live');
    await context.close();
  },
};

await run(journeys);
