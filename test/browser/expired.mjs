// A session ends in the middle of a form: the person sends the form, signs in, finds it filled in as
// before, and sends it again.
import { createServer, request as forward } from 'node:http';
import { assert, base, operator, run } from './browser.mjs';
import { both, person } from './person.mjs';

const password = 'a long sentence that nobody guesses';
const networks = Array.from({ length: 60 }, (_, i) => `2001:db8:0:${i.toString(16)}::/64`).join(', ');

async function expired(browser, way) {
  const { context, page, open, fill, check, go, keyboard } = await person(browser, way);
  const press = (name) => go('button', name);
  const email = `mara.${way.name}@fjordlight.example`;
  await open('/signup');
  await fill('Your name', 'Mara Lindqvist');
  await fill('Account optional', `Fjordlight ${way.name}`);
  await fill('E-mail', email);
  await fill('Password', password);
  await press('Create account');
  const account = operator('accounts', 'list').find((a) => a.name === `Fjordlight ${way.name}`);
  operator('accounts', 'set-plan', account.id, 'API_SCALE');
  operator('accounts', 'set-status', account.id, 'active');

  // The form is filled in, and meanwhile the session is ended from another device.
  await open('/account/keys/new');
  await fill('Name', 'Night & day <b>');
  await check(/^Only these families/);
  await check(/^data/);
  await fill('Allowed IPs optional', networks);
  const other = await person(browser, way);
  await other.open('/account/security');
  await other.fill('E-mail', email);
  await other.fill('Password', password);
  await other.go('button', 'Sign in');
  assert.equal(await other.page.getByText('with the password').count(), 2, 'both sessions are listed');
  await other.go('button', 'Sign out everywhere else');
  await other.context.close();

  // Sending the form leads to the sign-in page, whose address has no field of the form.
  await press('Create key');
  assert.match(page.url(), /\/signin\?next=/);
  assert.ok(!/Night|2001/.test(decodeURIComponent(page.url())), page.url());
  if (keyboard) assert.equal(await page.evaluate(() => document.activeElement.name), 'email', 'the first field has no focus');
  await fill('E-mail', email);
  await fill('Password', password);
  await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]); // in the field of the password

  // Nothing was created. The form is filled in as before.
  assert.equal(operator('keys', 'list', account.id).length, 0);
  assert.ok(await page.getByText('Nothing was sent yet').isVisible());
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Night & day <b>');
  assert.equal(await page.getByLabel('Allowed IPs optional', { exact: true }).inputValue(), networks);
  assert.ok(await page.getByLabel(/^data/).isChecked());
  assert.ok(!(await page.getByLabel(/^job/).isChecked()));

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
  const { context, page, open, fill, go } = await person(browser, {});
  await open('/signup');
  await fill('Your name', 'Ida Berg');
  await fill('E-mail', 'ida@fjordlight.example');
  await fill('Password', password);
  await go('button', 'Create account');
  const { server, address } = await slow();
  await open(`${address}/confirm?next=/account/security`);
  await fill('Password', password);
  await page.getByRole('button', { name: 'Continue', exact: true }).dblclick({ delay: 100 });
  await page.waitForURL((url) => url.pathname !== '/confirm');
  assert.match(page.url(), /\/account\/security$/);
  await context.close();
  server.close();
}

await run({
  'two clicks on a slow network': twice,
  ...both('expired session', expired),
});
