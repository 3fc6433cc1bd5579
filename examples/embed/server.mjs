// A back end with its own sign-in that shows the API keys of its customers in a page of its own.
// One file, Node 20 or newer, no dependencies except the client of Toksta.
//
//   PORT=3000 PAGES=http://localhost:8080 TOKSTA_SOCKET=../../demo-data/toksta.sock node server.mjs
//   PORT=3000 PAGES=https://keys.example.com TOKSTA_URL=https://toksta.internal:8443 TOKSTA_KEY_FILE=/run/secrets/toksta node server.mjs
//
// The file has an operator key with the role sessions, which allows nothing else.
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import { Toksta } from '../../clients/node/src/index.js' // in your project: from '@toksta/toksta'

const { PORT = '3000', PAGES = 'http://localhost:8080', TOKSTA_SOCKET, TOKSTA_URL, TOKSTA_KEY_FILE } = process.env
const toksta = TOKSTA_SOCKET ? new Toksta({ socket: TOKSTA_SOCKET }) : new Toksta({ url: TOKSTA_URL, keyFile: TOKSTA_KEY_FILE })

// The hash of the script is in docs/embedding.md. It never changes.
const scriptHash = 'sha256-qMC6RTJQs00pV79Lt4OzCOURPkVDxGbEIIpHi447cqw='

// The people of this product, with the account of each. A real back end has them in its database, and
// asks for a password. The account's id in this product is its external id at Toksta.
const people = {
  ada: { name: 'Ada Lovelace', email: 'ada@analytical.example', company: 'analytical', role: 'owner' },
  grace: { name: 'Grace Hopper', email: 'grace@cobol.example', company: 'cobol', role: 'developer' },
}
const sessions = new Map() // cookie → name in people

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`)

const page = (title, main) => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><meta name="color-scheme" content="light dark">
<style>html { background: Canvas } body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem } iframe { border: 0 }</style>
<main><h1>${escape(title)}</h1>${main}</main>`

/** signedIn returns the person of a request. */
function signedIn(request) {
  const cookie = /(?:^|; )app_session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1]
  return people[sessions.get(cookie)]
}

/** session creates the link that signs a person in to the keys of the person's company. */
function session(person, options) {
  return toksta.sessions.create({
    account: person.company, role: person.role, member: { email: person.email, name: person.name }, ...options,
  })
}

const routes = {
  'GET /': (request, response) => {
    const person = signedIn(request)
    const choice = Object.entries(people).map(([id, p]) => `<button name="person" value="${id}">${escape(p.name)}</button>`).join(' ')
    send(response, 200, page('Weather for machines', person
      ? `<p>You are ${escape(person.name)}. <a href="/api-keys">API keys</a> · <a href="/api-keys/open">API keys in a window</a></p>`
      : `<form method="post" action="/signin"><p>Sign in as ${choice}</p></form>`))
  },
  'POST /signin': async (request, response) => {
    const id = new URLSearchParams(await text(request)).get('person')
    if (!Object.hasOwn(people, id ?? '')) return send(response, 403, page('There is no such person', ''))
    const cookie = randomBytes(32).toString('base64url')
    sessions.set(cookie, id)
    send(response, 303, '', { Location: '/api-keys', 'Set-Cookie': `app_session=${cookie}; Path=/; HttpOnly; SameSite=Lax` })
  },
  // The frame. The link works once, so the page is never kept.
  'GET /api-keys': async (request, response) => {
    const person = signedIn(request)
    if (!person) return send(response, 303, '', { Location: '/' })
    const { url } = await session(person, { embed: true })
    send(response, 200, page('Your API keys', `
<script src="${escape(PAGES)}/embed/v1.js" crossorigin="anonymous" integrity="${scriptHash}"></script>
<iframe data-toksta src="${escape(url)}" title="API keys" width="100%" height="640" allow="clipboard-write"></iframe>
<p><a href="/api-keys/open">Open in a window</a></p>`), { 'Cache-Control': 'no-store' })
  },
  // The link.
  'GET /api-keys/open': async (request, response) => {
    const person = signedIn(request)
    if (!person) return send(response, 303, '', { Location: '/' })
    const { url } = await session(person, {})
    send(response, 303, '', { Location: url, 'Cache-Control': 'no-store' })
  },
}

/** text reads the body of a form, up to 10,000 characters. */
async function text(request) {
  let body = ''
  for await (const chunk of request) if ((body += chunk).length > 10_000) throw new Error('the form is too long')
  return body
}

function send(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', ...headers }).end(body)
}

const server = http.createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url.split('?')[0]}`]
  try {
    if (route) await route(request, response)
    else send(response, 404, page('There is nothing here', ''))
  } catch (error) {
    console.error(error.message, error.hint ?? '') // never contains the operator key
    send(response, 502, page('The keys cannot be shown right now', '<p>Try again in a minute.</p>'))
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
