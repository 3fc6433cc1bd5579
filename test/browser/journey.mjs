// The main job, by a person in a real browser: sign up, be told why no key can
// be made, get a plan, create a scoped key, use it, rotate it, revoke it, and
// see the calls. With JavaScript, without it, and with the keyboard alone.
import { assert, base, call, launch, look, operator, run } from './browser.mjs';

const password = 'a long sentence that nobody guesses';

// The person's hands. Both fill the same fields and press the same buttons;
// the keyboard never touches the mouse.
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

// see looks with axe only where the page may run scripts.
const see = (js) => (js ? look : async () => {});

async function journey(browser, { js, hands, who }) {
  const context = await browser.newContext({ javaScriptEnabled: js, reducedMotion: 'reduce', permissions: js ? ['clipboard-read', 'clipboard-write'] : [] });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept());
  const lookAt = see(js);
  const shot = (name) => lookAt(page, `${who}-${name}`);
  const go = async (role, name) => {
    await Promise.all([page.waitForEvent('load'), hands.press(page, role, name)]);
  };

  // Sign up: blocked on Free, with the reason.
  await page.goto(`${base}/account`);
  assert.match(page.url(), /\/signin/);
  await shot('signin');
  await go('link', 'Create one');
  await shot('signup');
  await hands.fill(page, 'Your name', 'Mara Lindqvist');
  await hands.fill(page, 'Account', `Fjordlight ${who}`);
  await hands.fill(page, 'E-mail', `mara.${who}@fjordlight.example`);
  await hands.fill(page, 'Password', password);
  await go('button', 'Create account');
  assert.match(page.url(), /\/account$/);
  assert.ok(await page.getByText('The Free plan has no API access').isVisible());
  assert.equal(await page.getByRole('link', { name: 'Create key' }).getAttribute('aria-disabled'), 'true');
  await shot('blocked');

  // The vendor sets the plan.
  const account = operator('accounts', 'list').find((a) => a.name === `Fjordlight ${who}`);
  operator('accounts', 'set-plan', account.id, 'API_SCALE');
  operator('accounts', 'set-status', account.id, 'active');
  await page.goto(`${base}/account`);
  await shot('empty');

  // Create a key for one family; the secret is shown once.
  await go('link', 'Create key');
  await shot('create');
  await hands.fill(page, 'Name', 'Enrichment <b>worker</b>');
  await hands.check(page, /^Only these families/);
  await hands.check(page, /^data/);
  await go('button', 'Create key');
  const first = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.match(first, /^tk_live_[0-9a-f]{48}$/);
  await shot('reveal');
  if (js) {
    await hands.press(page, 'button', 'Copy secret of Enrichment <b>worker</b>');
    await page.getByText('Copied').first().waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first);
  }

  // Reloading the form's answer makes no second key, and Back shows nothing.
  await page.reload();
  assert.ok(!(await page.content()).includes(first), 'a reload showed the secret again');
  assert.ok(await page.getByText(/already created/).first().isVisible());
  await shot('already');
  assert.equal(operator('keys', 'list', account.id).length, 1);
  await page.goto(`${base}/account`);
  // The answer was not kept, so the browser offers to send the form again.
  await page.goBack().catch((err) => assert.match(err.message, /ERR_CACHE_MISS/));
  await page.waitForFunction(() => document.readyState === 'complete');
  assert.ok(!(await page.content()).includes(first), 'Back showed the secret');

  // Calls: allowed family, other family.
  assert.equal((await call(first, 'POST', '/v1/creators/search')).status, 200);
  const refused = await call(first, 'GET', '/v1/account/usage');
  assert.equal(refused.status, 403);
  assert.deepEqual(refused.body.error.details, { reason: 'scope_insufficient', required_family: 'account' });

  // Rotate: the old secret stops, the new one works.
  await page.goto(`${base}/account`);
  await shot('list');
  await go('link', 'Rotate Enrichment <b>worker</b>');
  await shot('rotate');
  await go('button', 'Rotate now Enrichment <b>worker</b>');
  const second = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.notEqual(second, first);
  assert.equal((await call(first, 'POST', '/v1/creators/search')).status, 401);
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 200);
  await go('link', 'I have stored this key Enrichment <b>worker</b>');
  await shot('key');

  // Rename.
  await go('link', 'Edit Enrichment <b>worker</b>');
  await shot('edit');
  await hands.fill(page, 'Name', 'Enrichment worker');
  await go('button', 'Rename Enrichment <b>worker</b>');
  assert.ok(await page.getByRole('heading', { name: /Enrichment worker/, level: 1 }).isVisible());

  // Revoke: from then on 401.
  await go('link', 'Revoke Enrichment worker');
  await shot('revoke');
  await hands.fill(page, 'Type Enrichment worker to confirm', 'something else');
  await go('button', 'Revoke Enrichment worker');
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 200, 'a wrong name revoked the key');
  await shot('revoke-error');
  await hands.fill(page, 'Type Enrichment worker to confirm', 'Enrichment worker');
  await go('button', 'Revoke Enrichment worker');
  assert.ok(await page.getByText(/Refused on .*node/).first().isVisible());
  await shot('revoked');
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 401);

  // Usage shows the calls: three admitted, refusals apart.
  await page.goto(`${base}/account?revoked=1`);
  const usage = page.locator('#usage');
  assert.match(await usage.innerText(), /Calls admitted\s+3\b/);
  assert.match(await usage.innerText(), /scope_insufficient/);
  await shot('usage');
  await page.goto(`${base}/account?view=table#usage`);
  await shot('usage-table');

  // Change the password, leave, and come back with the new one.
  await page.goto(`${base}/account/security`);
  await shot('security');
  await hands.fill(page, 'Current password', password);
  await hands.fill(page, 'New password', `${password}, again`);
  await go('button', 'Change password');
  await go('button', 'Sign out');
  assert.match(page.url(), /\/signin/);
  await hands.fill(page, 'E-mail', `mara.${who}@fjordlight.example`);
  await hands.fill(page, 'Password', password);
  await go('button', 'Sign in');
  assert.match(page.url(), /\/signin/, 'the old password still works');
  await shot('signin-error');
  await hands.fill(page, 'Password', `${password}, again`);
  await go('button', 'Sign in');
  assert.match(page.url(), /\/account$/);
  await page.goto(`${base}/account/nothing-here`);
  await shot('error-404');
  await context.close();
  return { first, second };
}

const secrets = [];
const keep = async (p) => { const s = await p; secrets.push(s.first, s.second); };
await run({
  'with JavaScript': (b) => keep(journey(b, { js: true, hands: mouse, who: 'mouse' })),
  'without JavaScript': (b) => keep(journey(b, { js: false, hands: mouse, who: 'plain' })),
  'with the keyboard alone': (b) => keep(journey(b, { js: true, hands: keyboard, who: 'keyboard' })),
  'secrets for the search': async () => { for (const s of secrets) console.log(`secret ${s}`); },
});
