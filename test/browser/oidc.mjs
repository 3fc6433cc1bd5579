// The journey of a person with a certified sign-in provider on another site: sign up, sign out, sign in,
// unlink and link, and the back channel of the provider, which ends the session. It runs with JavaScript
// and without it, also at the width of a phone.
import { assert, base, checkPage, run } from './browser.mjs';

const issuer = process.env.OIDC_ISSUER;
const password = 'a long sentence that nobody guesses';

async function journey(browser, { js, width, name }) {
  const context = await browser.newContext({ javaScriptEnabled: js, reducedMotion: 'reduce', viewport: { width, height: 800 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const open = (path) => page.goto(base + path);
  const press = (label) => page.getByRole('button', { name: label, exact: true }).first().click();
  const sees = (text) => page.getByText(text).first().waitFor();
  const inspect = (label) => (js ? checkPage(page, label) : undefined);
  // atProvider gives the name and agrees, if the provider asks.
  const atProvider = async () => {
    await page.waitForURL(`${issuer}/interaction/**`);
    await page.locator('[name=login]').fill(name);
    await page.locator('[name=password]').fill('any');
    await page.locator('button[type=submit]').click();
    await page.locator('button[type=submit]').click(); // the consent
  };

  await open('/signin');
  await inspect('sign-in with a provider');
  await press('Continue with Acme SSO');
  await atProvider();
  await page.waitForURL(`${base}/account`);

  await open('/account/security');
  await inspect('linked sign-ins');
  await page.getByLabel('New password', { exact: true }).fill(password);
  await press('Set password');
  await sees('The password is');
  await press('Sign out');
  await sees('You are signed out.');

  await press('Continue with Acme SSO'); // the session at the provider is enough
  await page.waitForURL(`${base}/account`);
  await open('/account/security');
  await press('Unlink Acme SSO');
  await sees('The sign-in is unlinked.');
  await sees('Not linked'); // the current session stays
  await press('Link Acme SSO');
  await sees('The sign-in is linked.');

  // The session that the provider started ends with the session at the provider.
  await press('Sign out');
  await press('Continue with Acme SSO');
  await page.waitForURL(`${base}/account`);
  await page.goto(`${issuer}/session/end`);
  await page.locator('button[value=yes]').click();
  await page.waitForLoadState();
  await open('/account');
  assert.match(page.url(), /\/signin\?next=/, 'the session ended at once');
  await context.close();
}

await run({
  'a certified provider, with JavaScript': (b) => journey(b, { js: true, width: 1280, name: 'ada' }),
  'a certified provider, without JavaScript on a phone': (b) => journey(b, { js: false, width: 320, name: 'grace' }),
});
