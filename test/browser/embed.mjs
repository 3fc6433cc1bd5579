// The keys in a frame of the vendor's page, which examples/embed serves from another site: create,
// rotate and revoke a key, the height of the frame, and the attacks of other pages. It runs with
// third-party cookies allowed and blocked.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, base, call, launchProfile, operator, run } from './browser.mjs';
import { byKeyboard, person, personIn, withoutScripts } from './person.mjs';

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
async function enter(who, name) {
  await who.open(vendor);
  await who.press('button', name);
  await who.page.waitForURL(`${vendor}/api-keys`);
  return who.page.frameLocator('iframe[data-toksta]');
}

// frameHeight waits until the frame is as high as its content, and returns the height.
async function frameHeight(page) {
  const element = await page.locator('iframe[data-toksta]').elementHandle();
  const frame = await element.contentFrame();
  await frame.waitForLoadState();
  let shown, content;
  for (let i = 0; i < 300; i++) {
    content = await frame.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height)).catch(() => 0);
    shown = (await element.boundingBox()).height;
    if (content > 0 && shown === content) return shown;
    await page.evaluate(() => new Promise(requestAnimationFrame));
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

// throughFrame presses Tab from the start of the page through the whole frame, and Shift+Tab back into it.
async function throughFrame(page) {
  const place = () => page.evaluate(() => document.activeElement.tagName);
  const stops = [];
  while (stops.at(-1) !== 'A') {
    await page.keyboard.press('Tab');
    stops.push(await place());
    assert.ok(stops.length < 60, `Tab does not leave the frame: ${stops}`);
  }
  assert.ok(stops.filter((tag) => tag === 'IFRAME').length > 1, `Tab does not enter the frame: ${stops}`);
  await page.keyboard.press('Shift+Tab');
  assert.equal(await place(), 'IFRAME', 'Shift+Tab does not lead back into the frame');
}

// keys creates, uses and revokes a key in the frame, and follows its height.
async function keys(who) {
  const { context, page } = who;
  const messages = [];
  await page.exposeFunction('heard', (text) => messages.push(text));
  await page.addInitScript(() => { if (window === top) addEventListener('message', (event) => window.heard(JSON.stringify([event.origin, event.data]))); });
  const frame = await enter(who, 'Ada Lovelace');
  await frame.getByRole('heading', { name: 'analytical' }).waitFor();
  const empty = await frameHeight(page);
  assert.ok(empty !== 640, 'the height did not follow');
  if (who.keyboard) {
    await who.inspect('the page with the frame');
    await throughFrame(page);
  }

  await who.press('link', 'Create key', frame);
  await frame.getByLabel('Name', { exact: true }).waitFor();
  const form = await frameHeight(page);
  assert.notEqual(form, empty, 'the height did not follow');
  await who.press('button', 'Create key', frame);
  await frame.getByText('Give a name').waitFor();
  if (who.keyboard) await frame.locator('#f-name:focus').waitFor(); // a browser ignores autofocus in a frame of another site
  await who.fill('Name', 'In a frame', frame);
  await who.press('button', 'Create key', frame);
  const secret = await frame.getByLabel('Secret', { exact: true }).inputValue();
  console.log(`secret ${secret}`);
  assert.match(secret, /^tk_live_[0-9a-f]{48}$/);
  assert.equal((await call(secret, 'POST', '/v1/creators/search')).status, 200);
  await who.press('link', /^I have stored this key/, frame);
  await frame.getByRole('heading', { name: 'In a frame' }).waitFor();
  await frameHeight(page);

  await who.press('link', 'Revoke In a frame', frame);
  await who.fill(/^Type/, 'In a frame', frame);
  await who.press('button', 'Revoke In a frame', frame);
  await frame.getByRole('heading', { name: 'In a frame is revoked' }).waitFor();
  assert.equal((await call(secret, 'POST', '/v1/creators/search')).status, 401);
  await who.press('link', 'Done', frame);
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
  return frame;
}

const journeys = {
  async 'keys in a frame, by keyboard at 320 px, with third-party cookies blocked'(browser) {
    const who = await person(browser, byKeyboard);
    const { context, page } = who;
    assert.deepEqual(await thirdPartyCookies(context), ['kept=1']);
    const frame = await keys(who);
    // An expired session: the event reaches the page, and the link leads to a new session.
    await page.evaluate(() => addEventListener('toksta:ended', () => { document.title = 'ended'; }));
    await page.evaluate(() => { const f = document.querySelector('iframe'); f.src = f.src.replace(/.$/, 'x'); });
    await page.waitForFunction(() => document.title === 'ended');
    await who.press('link', 'Start again', frame);
    await page.waitForURL(`${vendor}/api-keys`);
    await frame.getByRole('heading', { name: 'analytical' }).waitFor();
    await context.close();
  },

  async 'keys in a frame, with third-party cookies allowed'() {
    const directory = await mkdtemp(join(tmpdir(), 'profile-'));
    const context = await launchProfile(directory, { reducedMotion: 'reduce' });
    try {
      assert.deepEqual(await thirdPartyCookies(context), ['kept=1', 'ordinary=1']);
      await keys(await personIn(context, {}));
    } finally {
      await context.close();
      await rm(directory, { recursive: true, force: true });
    }
  },

  async 'keys in a frame, without JavaScript'(browser) {
    const who = await person(browser, withoutScripts);
    const frame = await enter(who, 'Ada Lovelace');
    await who.press('link', 'Create key', frame);
    await who.fill('Name', 'Without scripts', frame);
    await who.press('button', 'Create key', frame);
    console.log(`secret ${await frame.getByLabel('Secret', { exact: true }).inputValue()}`);
    await who.press('link', /^I have stored this key/, frame);
    await frame.getByRole('heading', { name: 'Without scripts' }).waitFor();
    await who.context.close();
  },

  async 'a link in a window, by keyboard at 320 px'(browser) {
    const who = await person(browser, byKeyboard);
    const { context, page, open, go } = who;
    await enter(who, 'Grace Hopper');
    await who.press('link', 'Open in a window');
    await page.waitForURL(`${base}/account`);
    await page.getByRole('heading', { name: 'Account', exact: true }).waitFor();
    assert.ok(!(await page.content()).includes('grace@cobol.example'), 'the page shows the address');
    for (const path of ['/account/security', '/account/profile', '/confirm']) assert.equal((await open(path)).status(), 403, path);
    // A link of another person asks first, and keeps the session unless the person agrees.
    await open(vendor);
    await context.clearCookies({ name: 'app_session' });
    await enter(who, 'Ada Lovelace');
    await open(`${vendor}/api-keys/open`);
    await page.getByRole('heading', { name: 'Open analytical?' }).waitFor();
    await go('link', 'Stay in cobol');
    assert.ok(await page.locator('.account', { hasText: 'cobol' }).isVisible());
    await open(`${vendor}/api-keys/open`);
    await go('button', 'Switch account');
    assert.ok(await page.locator('.account', { hasText: 'analytical' }).isVisible());
    await context.close();
  },

  async 'other pages cannot embed or act'(browser) {
    const who = await person(browser, {});
    const { context, page } = who;
    await enter(who, 'Ada Lovelace');
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
