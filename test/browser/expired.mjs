// A session ends in the middle of a form: the person sends the form, signs in, finds it filled in as
// before, and sends it again. It runs with JavaScript and without it, also at the width of a phone,
// and by keyboard.
import { createServer, request as forward } from 'node:http';
import { assert, base, checkPage, operator, run } from './browser.mjs';

const password = 'a long sentence that nobody guesses';
const networks = Array.from({ length: 60 }, (_, i) => `2001:db8:0:${i.toString(16)}::/64`).join(', ');

async function open(browser, { js, width }) {
  const context = await browser.newContext({ javaScriptEnabled: js, reducedMotion: 'reduce', viewport: { width, height: 800 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept());
  const fill = (label, text) => page.getByLabel(label, { exact: true }).fill(text);
  const press = (name) => Promise.all([page.waitForEvent('load'), page.getByRole('button', { name, exact: true }).click()]);
  const inspect = (name) => (js && width > 320 ? checkPage(page, name) : undefined);
  return { context, page, fill, press, inspect };
}

async function expired(browser, options) {
  const { context, page, fill, press, inspect } = await open(browser, options);
  const email = `mara.${options.variant}@fjordlight.example`;
  await page.goto(`${base}/signup`);
  await fill('Your name', 'Mara Lindqvist');
  await fill('Account optional', `Fjordlight ${options.variant}`);
  await fill('E-mail', email);
  await fill('Password', password);
  await press('Create account');
  const account = operator('accounts', 'list').find((a) => a.name === `Fjordlight ${options.variant}`);
  operator('accounts', 'set-plan', account.id, 'API_SCALE');
  operator('accounts', 'set-status', account.id, 'active');

  // The form is filled in, and meanwhile the session is ended from another device.
  await page.goto(`${base}/account/keys/new`);
  await fill('Name', 'Night & day <b>');
  await page.getByLabel(/^Only these families/).check();
  await page.getByLabel(/^data/).check();
  await fill('Allowed IPs optional', networks);
  const other = await open(browser, options);
  await other.page.goto(`${base}/account/security`);
  await other.fill('E-mail', email);
  await other.fill('Password', password);
  await other.press('Sign in');
  assert.equal(await other.page.getByText('with the password').count(), 2, 'both sessions are listed');
  await other.inspect(`${options.variant}-sessions`);
  await other.press('Sign out everywhere else');
  await other.context.close();

  // Sending the form leads to the sign-in page, whose address has no field of the form.
  await press('Create key');
  assert.match(page.url(), /\/signin\?next=/);
  assert.ok(!/Night|2001/.test(decodeURIComponent(page.url())), page.url());
  await inspect(`${options.variant}-signin`);
  await page.keyboard.type(email); // the first field has the focus
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);

  // Nothing was created. The form is filled in as before.
  assert.equal(operator('keys', 'list', account.id).length, 0);
  assert.ok(await page.getByText('Nothing was sent yet').isVisible());
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Night & day <b>');
  assert.equal(await page.getByLabel('Allowed IPs optional', { exact: true }).inputValue(), networks);
  assert.ok(await page.getByLabel(/^data/).isChecked());
  assert.ok(!(await page.getByLabel(/^job/).isChecked()));
  await inspect(`${options.variant}-again`);

  // Sending it again creates one key; sending it a third time none.
  await press('Create key');
  assert.match(await page.getByLabel('Secret', { exact: true }).inputValue(), /^tk_live_/);
  await page.goBack();
  const keys = operator('keys', 'list', account.id);
  assert.equal(keys.length, 1);
  assert.equal(keys[0].name, 'Night & day <b>');
  await context.close();
}

// slow starts a proxy in front of the server that delays the responses to forms.
async function slow() {
  const server = createServer((request, response) => {
    const { url, method, headers } = request;
    const forwarded = forward(base + url, { method, headers }, (r) => {
      setTimeout(() => { response.writeHead(r.statusCode, r.rawHeaders); r.pipe(response); }, method === 'POST' ? 400 : 0);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  });
  await new Promise((listens) => { server.listen(0, '127.0.0.1', listens); });
  return { server, address: `http://127.0.0.1:${server.address().port}` };
}

// Two clicks on a button that replaces the session leave the person signed in: without care, the
// browser drops the response with the new session, and sends the cookie of the replaced one.
async function twice(browser) {
  const { context, page, fill, press } = await open(browser, { js: true, width: 1280 });
  await page.goto(`${base}/signup`);
  await fill('Your name', 'Ida Berg');
  await fill('E-mail', 'ida@fjordlight.example');
  await fill('Password', password);
  await press('Create account');
  const { server, address } = await slow();
  await page.goto(`${address}/confirm?next=/account/security`);
  await fill('Password', password);
  await page.getByRole('button', { name: 'Continue', exact: true }).dblclick({ delay: 100 });
  await page.waitForURL((url) => url.pathname !== '/confirm');
  assert.match(page.url(), /\/account\/security$/);
  await context.close();
  server.close();
}

await run({
  'two clicks on a slow network': twice,
  'expired session': (browser) => expired(browser, { js: true, width: 1280, variant: 'wide' }),
  'expired session, 320 pixels, without JavaScript': (browser) => expired(browser, { js: false, width: 320, variant: 'narrow' }),
  'expired session, 320 pixels': (browser) => expired(browser, { js: true, width: 320, variant: 'phone' }),
});
