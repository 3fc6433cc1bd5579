// The main journey of a customer: sign up, read why no key can be created, get a plan,
// create a scoped key, use it, rotate it, revoke it, and read the usage.
import { assert, base, call, operator, run } from './browser.mjs';
import { both, person } from './person.mjs';

const password = 'a long sentence that nobody guesses';

async function journey(browser, way) {
  const js = way.javaScriptEnabled !== false;
  const variant = way.name;
  const who = await person(browser, { ...way, permissions: js ? ['clipboard-read', 'clipboard-write'] : [] });
  const { context, page, go, open, fill, check, press } = who;

  const shownOnce = async (secret) => {
    assert.ok(await page.getByRole('heading', { name: 'This secret was shown once' }).isVisible());
    assert.ok(!(await page.content()).includes(secret), 'the secret is shown again');
  };

  // Sign up: blocked on Free, with the reason.
  await open('/account');
  assert.match(page.url(), /\/signin/);
  await go('link', 'Create one');
  await fill('Your name', 'Mara Lindqvist');
  await fill('Account optional', `Fjordlight ${variant}`);
  await fill('E-mail', `mara.${variant}@fjordlight.example`);
  await fill('Password', password);
  await go('button', 'Create account');
  assert.match(page.url(), /\/account$/);
  assert.ok(await page.getByText('The Free plan has no API access').isVisible());
  assert.equal(await page.getByRole('link', { name: 'Create key' }).getAttribute('aria-disabled'), 'true');

  // The vendor sets the plan.
  const account = operator('accounts', 'list').find((a) => a.name === `Fjordlight ${variant}`);
  operator('accounts', 'set-plan', account.id, 'API_SCALE');
  operator('accounts', 'set-status', account.id, 'active');
  await open('/account');

  // Create a key for one family; the secret is shown once.
  await go('link', 'Create key');
  await fill('Name', 'Enrichment <b>worker</b>');
  await check(/^Only these families/);
  await check(/^data/);
  await go('button', 'Create key');
  const first = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.match(first, /^tk_live_[0-9a-f]{48}$/);
  if (js) {
    await press('button', 'Copy secret of Enrichment <b>worker</b>');
    await page.getByText('Copied').first().waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first);
  }

  // Neither a reload nor Back shows the secret again or sends the form again: both show a
  // page.
  assert.match(page.url(), /\/secret$/);
  await page.reload();
  await shownOnce(first);
  assert.equal(operator('keys', 'list', account.id).length, 1);
  await open('/account');
  await page.goBack();
  await shownOnce(first);

  // Calls: allowed family, other family.
  assert.equal((await call(first, 'POST', '/v1/creators/search')).status, 200);
  const rejected = await call(first, 'GET', '/v1/account/usage');
  assert.equal(rejected.status, 403);
  assert.deepEqual(rejected.body.error.details, { reason: 'scope_insufficient', required_family: 'account' });

  // Rotate: the old secret stops, the new one works.
  await open('/account');
  await go('link', 'Rotate Enrichment <b>worker</b>');
  await go('button', 'Rotate now Enrichment <b>worker</b>');
  const second = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.notEqual(second, first);
  assert.equal((await call(first, 'POST', '/v1/creators/search')).status, 401);
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 200);
  await go('link', 'I have stored this key Enrichment <b>worker</b>');
  await page.goBack();
  await shownOnce(second);
  await page.goForward();

  // Rename.
  await go('link', 'Edit Enrichment <b>worker</b>');
  await fill('Name', 'Enrichment worker');
  await go('button', 'Rename Enrichment <b>worker</b>');
  assert.ok(await page.getByRole('heading', { name: /Enrichment worker/, level: 1 }).isVisible());

  // Search for the key: while typing, or with the button of a page without scripts.
  await open('/account?q=nothing');
  assert.ok(await page.getByText('No key matches.').isVisible());
  await fill('Search keys', 'ENRICH');
  if (!js) await go('button', 'Search');
  await page.getByRole('link', { name: 'Enrichment worker', exact: true }).waitFor();
  await page.getByText('1 key found').first().waitFor();
  assert.match(page.url(), /q=ENRICH/);
  if (js) assert.equal(await page.evaluate(() => document.activeElement.name), 'q', 'the search takes the focus away');
  await go('link', 'Enrichment worker');

  // Revoke: calls get 401.
  await go('link', 'Revoke Enrichment worker');
  await fill('Type Enrichment worker to confirm', 'something else');
  await go('button', 'Revoke Enrichment worker');
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 200, 'a wrong name revoked the key');
  await fill('Type Enrichment worker to confirm', 'Enrichment worker');
  await go('button', 'Revoke Enrichment worker');
  assert.ok(await page.getByText(/Refused on .*node/).first().isVisible());
  await go('link', 'Done');
  await page.goBack();
  assert.ok(await page.getByRole('heading', { name: 'Enrichment worker is revoked' }).isVisible(), 'Back from a revocation shows no page');
  assert.equal((await call(second, 'POST', '/v1/creators/search')).status, 401);

  // Usage shows three admitted calls, and rejected ones separately.
  await open('/account?revoked=1');
  const usage = page.locator('#usage');
  assert.match(await usage.innerText(), /Calls admitted\s+3\b/);
  assert.match(await usage.innerText(), /scope_insufficient/);
  await go('button', 'Show month');
  assert.match(page.url(), /month=.*#usage$/);
  await open('/account?view=table#usage');

  // Change the password, leave, and come back with the new one.
  await open('/account/security');
  await fill('Current password', password);
  await fill('New password', `${password}, again`);
  await go('button', 'Change password');
  await go('button', 'Sign out');
  assert.match(page.url(), /\/signin/);
  await fill('E-mail', `mara.${variant}@fjordlight.example`);
  await fill('Password', password);
  await go('button', 'Sign in');
  assert.match(page.url(), /\/signin/, 'the old password still works');
  await fill('Password', `${password}, again`);
  await go('button', 'Sign in');
  assert.match(page.url(), /\/account$/);

  // From a page that does not exist, a link leads back. By keyboard, the first stop leads past the navigation.
  await open('/account/nothing-here');
  await go('link', 'Go to the account');
  if (who.keyboard) {
    await open('/account');
    await press('link', 'Skip to content');
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement.closest('main')), 'the focus is not in the content');
  }
  await context.close();
  return { first, second };
}

const secrets = [];
await run({
  ...both('a customer', async (browser, way) => {
    const { first, second } = await journey(browser, way);
    secrets.push(first, second);
  }),
  'secrets for the search': async () => { for (const s of secrets) console.log(`secret ${s}`); },
});
