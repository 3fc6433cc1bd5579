// The main journey of a customer: sign up, read why no key can be created, get a plan,
// create a scoped key, use it, rotate it, revoke it, and read the usage. It runs with
// JavaScript, without it, and with the keyboard only.
import { assert, base, call, checkPage, operator, run } from './browser.mjs';

const password = 'a long sentence that nobody guesses';

// The two ways of input. The keyboard fills the same fields and presses the same buttons
// without a mouse.
const mouse = {
  fill: (page, label, text) => page.getByLabel(label, { exact: true }).fill(text),
  check: (page, label) => page.getByLabel(label).check(),
  press: (page, role, name) => page.getByRole(role, { name, exact: true }).first().click(),
};

const keyboard = {
  async fill(page, label, text) {
    await tabTo(page, page.getByLabel(label, { exact: true }));
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  },
  async check(page, label) {
    const target = page.getByLabel(label);
    if (await target.getAttribute('type') === 'radio') {
      await tabTo(page, page.locator(`input[type=radio][name="${await target.getAttribute('name')}"]:checked`));
      for (let i = 0; i < 4 && !(await target.isChecked()); i++) await page.keyboard.press('ArrowDown');
    } else {
      await tabTo(page, target);
      await page.keyboard.press('Space');
    }
    assert.ok(await target.isChecked(), `${label} is checked`);
  },
  async press(page, role, name) {
    await tabTo(page, page.getByRole(role, { name, exact: true }).first());
    await page.keyboard.press('Enter');
  },
};

async function tabTo(page, target) {
  await target.waitFor();
  const handle = await target.elementHandle();
  for (let i = 0; i < 80; i++) {
    if (await handle.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${target} cannot be reached with Tab`);
}

async function journey(browser, { js, hands, variant }) {
  const context = await browser.newContext({ javaScriptEnabled: js, reducedMotion: 'reduce', permissions: js ? ['clipboard-read', 'clipboard-write'] : [] });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept());
  // The variants show the same pages, and axe, which takes most of the time, needs scripts.
  const inspect = (name) => (variant === 'mouse' ? checkPage(page, `${variant}-${name}`) : undefined);
  const go = async (role, name) => {
    await Promise.all([page.waitForEvent('load'), hands.press(page, role, name)]);
  };

  const shownOnce = async (secret) => {
    assert.ok(await page.getByRole('heading', { name: 'This secret was shown once' }).isVisible());
    assert.ok(!(await page.content()).includes(secret), 'the secret is shown again');
  };

  // Sign up: blocked on Free, with the reason.
  await page.goto(`${base}/account`);
  assert.match(page.url(), /\/signin/);
  await inspect('signin');
  await go('link', 'Create one');
  await inspect('signup');
  await hands.fill(page, 'Your name', 'Mara Lindqvist');
  await hands.fill(page, 'Account optional', `Fjordlight ${variant}`);
  await hands.fill(page, 'E-mail', `mara.${variant}@fjordlight.example`);
  await hands.fill(page, 'Password', password);
  await go('button', 'Create account');
  assert.match(page.url(), /\/account$/);
  assert.ok(await page.getByText('The Free plan has no API access').isVisible());
  assert.equal(await page.getByRole('link', { name: 'Create key' }).getAttribute('aria-disabled'), 'true');
  await inspect('blocked');

  // The vendor sets the plan.
  const account = operator('accounts', 'list').find((a) => a.name === `Fjordlight ${variant}`);
  operator('accounts', 'set-plan', account.id, 'API_SCALE');
  operator('accounts', 'set-status', account.id, 'active');
  await page.goto(`${base}/account`);
  await inspect('empty');

  // Create a key for one family; the secret is shown once.
  await go('link', 'Create key');
  await inspect('create');
  await hands.fill(page, 'Name', 'Enrichment <b>worker</b>');
  await hands.check(page, /^Only these families/);
  await hands.check(page, /^data/);
  await go('button', 'Create key');
  const first = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.match(first, /^tk_live_[0-9a-f]{48}$/);
  await inspect('reveal');
  if (js) {
    await hands.press(page, 'button', 'Copy secret of Enrichment <b>worker</b>');
    await page.getByText('Copied').first().waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first);
  }

  // Neither a reload nor Back shows the secret again or sends the form again: both show a
  // page.
  assert.match(page.url(), /\/secret$/);
  await page.reload();
  await shownOnce(first);
  await inspect('already');
  assert.equal(operator('keys', 'list', account.id).length, 1);
  await page.goto(`${base}/account`);
  await page.goBack();
  await shownOnce(first);

  // Calls: allowed family, other family.
  assert.equal((await call(first, 'POST', '/v1/creators/search')).status, 200);
  const rejected = await call(first, 'GET', '/v1/account/usage');
  assert.equal(rejected.status, 403);
  assert.deepEqual(rejected.body.error.details, { reason: 'scope_insufficient', required_family: 'account' });

  // Rotate: the old secret stops, the new one works.
  await page.goto(`${base}/account`);
  await inspect('list');
  await go('link', 'Rotate Enrichment <b>worker</b>');
  await inspect('rotate');
  await go('button', 'Rotate now Enrichment <b>worker</b>');
  const second = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.notEqual(second, first);
  assert.equal((await call(first, 'POST', '/v1/creators/search')).status, 401);
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 200);
  await go('link', 'I have stored this key Enrichment <b>worker</b>');
  await page.goBack();
  await shownOnce(second);
  await page.goForward();
  await inspect('key');

  // Rename.
  await go('link', 'Edit Enrichment <b>worker</b>');
  await inspect('edit');
  await hands.fill(page, 'Name', 'Enrichment worker');
  await go('button', 'Rename Enrichment <b>worker</b>');
  assert.ok(await page.getByRole('heading', { name: /Enrichment worker/, level: 1 }).isVisible());

  // Search for the key: while typing, or with the button of a page without scripts.
  await page.goto(`${base}/account?q=nothing`);
  assert.ok(await page.getByText('No key matches.').isVisible());
  await inspect('not-found');
  await hands.fill(page, 'Search keys', 'ENRICH');
  if (!js) await go('button', 'Search');
  await page.getByRole('link', { name: 'Enrichment worker', exact: true }).waitFor();
  await page.getByText('1 key found').first().waitFor();
  assert.match(page.url(), /q=ENRICH/);
  await inspect('found');
  await go('link', 'Enrichment worker');

  // Revoke: calls get 401.
  await go('link', 'Revoke Enrichment worker');
  await inspect('revoke');
  await hands.fill(page, 'Type Enrichment worker to confirm', 'something else');
  await go('button', 'Revoke Enrichment worker');
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 200, 'a wrong name revoked the key');
  await inspect('revoke-error');
  await hands.fill(page, 'Type Enrichment worker to confirm', 'Enrichment worker');
  await go('button', 'Revoke Enrichment worker');
  assert.ok(await page.getByText(/Refused on .*node/).first().isVisible());
  await inspect('revoked');
  await go('link', 'Done');
  await page.goBack();
  assert.ok(await page.getByRole('heading', { name: 'Enrichment worker is revoked' }).isVisible(), 'Back from a revocation shows no page');
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 401);

  // Usage shows three admitted calls, and rejected ones separately.
  await page.goto(`${base}/account?revoked=1`);
  const usage = page.locator('#usage');
  assert.match(await usage.innerText(), /Calls admitted\s+3\b/);
  assert.match(await usage.innerText(), /scope_insufficient/);
  await inspect('usage');
  await page.goto(`${base}/account?view=table#usage`);
  await inspect('usage-table');

  // Change the password, leave, and come back with the new one.
  await page.goto(`${base}/account/security`);
  await inspect('security');
  await hands.fill(page, 'Current password', password);
  await hands.fill(page, 'New password', `${password}, again`);
  await go('button', 'Change password');
  await go('button', 'Sign out');
  assert.match(page.url(), /\/signin/);
  await hands.fill(page, 'E-mail', `mara.${variant}@fjordlight.example`);
  await hands.fill(page, 'Password', password);
  await go('button', 'Sign in');
  assert.match(page.url(), /\/signin/, 'the old password still works');
  await inspect('signin-error');
  await hands.fill(page, 'Password', `${password}, again`);
  await go('button', 'Sign in');
  assert.match(page.url(), /\/account$/);
  await page.goto(`${base}/account/nothing-here`);
  await inspect('error-404');
  await context.close();
  return { first, second };
}

const secrets = [];
const keep = async (p) => { const s = await p; secrets.push(s.first, s.second); };
await run({
  'with JavaScript': (b) => keep(journey(b, { js: true, hands: mouse, variant: 'mouse' })),
  'without JavaScript': (b) => keep(journey(b, { js: false, hands: mouse, variant: 'plain' })),
  'with the keyboard only': (b) => keep(journey(b, { js: true, hands: keyboard, variant: 'keyboard' })),
  'secrets for the search': async () => { for (const s of secrets) console.log(`secret ${s}`); },
});
