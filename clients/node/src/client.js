import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { TokstaError, unavailable } from './errors.js'
import { operations } from './operations.js'
import { limited, overFetch, overSocket } from './transport.js'

const prefix = '/operator/v1/'
const mostDecisions = 64 // at the same time
const mostCalls = 16
const token = /^[A-Za-z0-9._~+/-]+=*$/ // RFC 6750, b64token

/**
 * A client of the operator API. See index.d.ts for its options and methods. The key is in a private field: neither
 * util.inspect nor JSON.stringify shows it.
 */
export class Toksta {
  #key
  #keyFile
  #decide // posts a question for a decision
  #post // posts any other request
  #timeout
  #changeTimeout
  #operator

  constructor({ url, socket, key, keyFile, timeout = 2000, changeTimeout = 30_000, operator = '', insecureHttp = false, fetch = globalThis.fetch } = {}) {
    if ((url === undefined) === (socket === undefined)) {
      throw new TypeError('Toksta: set either url, the address of listen.operator, or socket, the path of the operator socket.')
    }
    if (key !== undefined && keyFile !== undefined) throw new TypeError('Toksta: set key or keyFile, not both.')
    this.#keyFile = keyFile
    this.#key = keyFile === undefined ? checkKey(key) : readKey(keyFile)
    const post = socket === undefined ? overFetch(checkURL(url, insecureHttp), fetch) : overSocket(socket)
    this.#decide = limited(post, mostDecisions)
    this.#post = limited(post, mostCalls)
    this.#timeout = checkTime('timeout', timeout)
    this.#changeTimeout = checkTime('changeTimeout', changeTimeout)
    this.#operator = operator
    if (url !== undefined && this.#key === undefined) throw new TypeError('Toksta: a url needs an operator key: set key or keyFile.')
    for (const [noun, verbs] of Object.entries(operations)) {
      this[noun] = Object.freeze(Object.fromEntries(Object.entries(verbs).map(([name, operation]) => [name, (request) => this.call(operation, request)])))
    }
  }

  /** Decides on one call. A rejection is a decision, not an error. */
  async verify(request) {
    return checkDecision(await this.#send('verify', request, this.#timeout))
  }

  /** Decides on up to 1,000 calls, in their order. */
  async verifyBatch(calls) {
    const { decisions } = await this.#send('verify/batch', { calls }, this.#changeTimeout)
    if (!Array.isArray(decisions) || decisions.length !== calls.length) {
      throw unavailable('malformed_response', 'The response of verify/batch has another number of decisions than calls.')
    }
    return decisions.map(checkDecision)
  }

  /** Calls an operation of the operator API by its name, for example call('keys/revoke', {key}). */
  async call(operation, request = {}) {
    return this.#send(operation, request, this.#changeTimeout)
  }

  /** Sends one request. After a 401 it reads the key file again and repeats the request once if the file has another key: a rejected credential has changed nothing. */
  async #send(operation, request, timeout) {
    if (!/^[a-z]+(?:[/-][a-z]+)*$/.test(operation)) throw new TypeError('Toksta: the name of an operation is, for example, keys/revoke.')
    const body = JSON.stringify(request)
    let response = await this.#exchange(operation, body, timeout)
    if (response.status === 401 && this.#keyFile !== undefined) {
      const key = readKey(this.#keyFile)
      if (key !== this.#key) {
        this.#key = key
        response = await this.#exchange(operation, body, timeout)
      }
    }
    return decode(response)
  }

  #exchange(operation, body, timeout) {
    const headers = { 'content-type': 'application/json' }
    if (this.#key !== undefined) headers.authorization = `Bearer ${this.#key}`
    if (this.#operator !== '') headers['x-toksta-operator'] = this.#operator
    const post = operation === 'verify' ? this.#decide : this.#post
    return post(prefix + operation, headers, body, timeout)
  }
}

/** decode returns the data of an envelope, or the text of another media type. It throws the error of an envelope. */
function decode({ status, type, text }) {
  if (status === 200 && !type.startsWith('application/json')) return text
  let envelope
  try {
    envelope = JSON.parse(text)
  } catch {
    envelope = undefined
  }
  if (status === 200 && envelope?.success === true && envelope.data !== undefined) return envelope.data
  if (typeof envelope?.error?.code !== 'string') {
    throw unavailable('malformed_response', `The response with status ${status} is not from Toksta. Check the url.`)
  }
  const { code, message, details = {} } = envelope.error
  throw new TokstaError({
    code, message, details, status, requestId: envelope.meta?.request_id, reason: details.reason,
    hint: details.hint ?? nextStep(code, envelope.meta?.request_id),
  })
}

/** nextStep returns the hint for an error to which the server adds none. */
function nextStep(code, requestID) {
  if (code === 'UNAUTHORIZED') return 'the operator key is unknown, revoked, expired, or not for this network: use another one, which toksta operator-keys create or rotate prints'
  return code === 'INTERNAL_ERROR' ? `search the server's log for ${requestID}` : ''
}

/** checkDecision returns d if it is a complete decision. Any other value must never admit a call. */
function checkDecision(d) {
  const response = d?.response
  const headers = response?.headers !== null && typeof response?.headers === 'object'
  // An admitted call has an account, or its route is public.
  const complete = (d?.admitted === true && (d.public === true) === !d.principal?.account_id) || (d?.admitted === false && Number.isInteger(response?.status) && response.status >= 400 && response.status <= 599)
  if (!headers || !complete) throw unavailable('malformed_response', 'The response of verify is not a decision. Check the url, and that both versions are equal.')
  return d
}

function checkKey(key) {
  if (key !== undefined && (typeof key !== 'string' || !token.test(key))) {
    throw new TypeError('Toksta: the operator key is malformed. It starts with tk_op_ and has no spaces or line breaks.')
  }
  return key
}

function readKey(file) {
  return checkKey(readFileSync(file, 'utf8').trim())
}

function checkURL(text, insecure) {
  let url
  try {
    url = new URL(text)
  } catch {
    throw new TypeError('Toksta: url must be an http or https URL.')
  }
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('Toksta: url must be an http or https URL without a user, a query or a fragment.')
  }
  if (url.protocol === 'http:' && !insecure && !isLoopback(url.hostname)) {
    throw new TypeError(`Toksta: http would send the operator key to ${url.hostname} unencrypted. Use https, or set insecureHttp if the network itself is encrypted.`)
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function isLoopback(host) {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'))
}

function checkTime(name, ms) {
  if (!Number.isInteger(ms) || ms < 1 || ms > 600_000) throw new TypeError(`Toksta: ${name} is a number of milliseconds from 1 to 600000.`)
  return ms
}
