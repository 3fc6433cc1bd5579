// A certified OpenID Connect provider for tests, with its own pages to sign in. It prints its address on
// one line. The sign-in name of a person is the subject; each person has a verified address.
//
// Usage: node provider.mjs PAGES_URL NAME
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const [pages, name] = process.argv.slice(2);
const callback = `${pages}/signin/with/${name}`;

// key returns a new signing key.
function key() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' };
}

// configuration has one client and one signing key.
const configuration = (jwks) => ({
  jwks,
  clients: [{
    client_id: 'toksta', client_secret: 'the client secret', redirect_uris: [`${callback}/callback`],
    post_logout_redirect_uris: [`${pages}/signin/out`], backchannel_logout_uri: `${callback}/logout`,
    backchannel_logout_session_required: true, id_token_signed_response_alg: 'ES256', grant_types: ['authorization_code'],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  // Its own guard against requests to this machine is for servers on the Internet.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  pkce: { required: () => true },
  cookies: { keys: ['a key of the test'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@acme.example`, email_verified: id !== 'unverified', name: id, groups: [`${id}s`] }),
  }),
});

let provider;
const server = createServer((request, response) => {
  if (request.url === '/rotate') { // replaces the key: the old one is no longer published
    start();
    response.end();
    return;
  }
  provider.callback()(request, response);
});
function start() {
  provider = new Provider(`http://127.0.0.1:${server.address().port}`, configuration({ keys: [key()] }));
  provider.on('backchannel.error', (ctx, err) => console.error('back channel:', err));
}
server.listen(0, '127.0.0.1', () => {
  start();
  console.log(`http://127.0.0.1:${server.address().port}`);
});
