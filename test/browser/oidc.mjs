// The journey of a person with a certified sign-in provider on another site: sign up, sign out, sign in,
// unlink and link, and the back channel of the provider, which ends the session.
import { assert, base, run } from './browser.mjs';
import { both, person } from './person.mjs';

const issuer = process.env.OIDC_ISSUER;
const password = 'a long sentence that nobody guesses';

async function journey(browser, way) {
  const who = await person(browser, way);
  const { context, page, open, fill, sees } = who;
  const press = (label) => who.press('button', label);
  // atProvider gives the name and agrees, if the provider asks.
  const atProvider = async () => {
    await page.waitForURL(`${issuer}/interaction/**`);
    await fill(page.locator('[name=login]'), way.name);
    await fill(page.locator('[name=password]'), 'any');
    await press('Sign-in');
    await press('Continue'); // the consent
  };

  await open('/signin');
  await press('Continue with Acme SSO');
  await atProvider();
  await page.waitForURL(`${base}/account`);

  await open('/account/security');
  await fill('New password', password);
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
  await press('Yes, sign me out');
  await page.waitForURL(`${issuer}/session/end/success**`);
  await open('/account');
  assert.match(page.url(), /\/signin\?next=/, 'the session ended at once');
  await context.close();
}

await run(both('a certified provider', journey));
