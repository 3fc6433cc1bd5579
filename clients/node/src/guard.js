// The part of the middleware that no framework changes: it asks for the decision, fails closed, and names the
// header fields of requests that must not reach a handler.
import { randomBytes } from 'node:crypto'
import { Proxies } from './address.js'
import { TokstaError } from './errors.js'

const shownEvery = 1000 // ms between two failures on standard error

/** Decides on requests for one middleware. It keeps no decision: see the README. */
export class Guard {
  #toksta
  #options
  #proxies
  #prefix = 'X-Toksta-' // of the last admitted call
  #shown = -Infinity

  constructor(toksta, options = {}) {
    if (typeof toksta?.verify !== 'function') throw new TypeError('requireKey needs a Toksta as its first argument.')
    for (const name of ['address', 'hold', 'onError']) {
      if (options[name] !== undefined && typeof options[name] !== 'function') throw new TypeError(`requireKey: ${name} is a function.`)
    }
    if (options.address !== undefined && options.proxies !== undefined) throw new TypeError('requireKey: set address or proxies, not both.')
    this.#toksta = toksta
    this.#options = options
    this.#proxies = new Proxies(options.proxies)
  }

  /**
   * check decides on a request in plain values and never throws. lines(name) returns the values of a header field, one
   * for each line; context is the framework's request, for the functions in the options.
   */
  async check({ method, target, peer, lines, context }) {
    try {
      const address = this.#options.address === undefined ? this.#proxies.address(peer, lines('x-forwarded-for')) : this.#options.address(context)
      if (address === undefined && this.#options.address === undefined) {
        return failed(400, 'BAD_REQUEST', 'X-Forwarded-For contains an element that is not an address.', this.#own(lines))
      }
      const operation = value(this.#options.operation, context)
      const decision = await this.#toksta.verify(compact({
        ...(operation ? { operation } : { method, target }),
        authorization: joined(lines('authorization')), address: address || undefined, agent: joined(lines('user-agent'))?.slice(0, 256),
        request_id: joined(lines('x-request-id')), traceparent: joined(lines('traceparent')), trace_id: joined(lines('x-trace-id')),
        credits: value(this.#options.credits, context), hold: this.#options.hold?.(context),
      }))
      this.#prefix = decision.identity_prefix || this.#prefix
      return decision
    } catch (error) {
      this.#report(error)
      return failed(503, 'UNAVAILABLE', 'The service cannot verify keys at the moment. Try again shortly.', this.#own(lines))
    }
  }

  /** own returns the fields of an own response that depend on the request and the options. */
  #own(lines) {
    const [id, second] = lines('x-request-id')
    const safe = id !== undefined && second === undefined && /^[A-Za-z0-9._-]{1,64}$/.test(id)
    return { id: safe ? id : requestID(), source: `${this.#prefix}Source` }
  }

  #report(error) {
    if (this.#options.onError !== undefined) {
      try {
        this.#options.onError(error)
      } catch {
        // The decision must not depend on the vendor's logging.
      }
      return
    }
    const now = performance.now()
    if (now - this.#shown < shownEvery) return
    this.#shown = now
    console.error(`toksta: calls are rejected with 503: ${error instanceof TokstaError ? `${error.code}: ${error.message}${error.hint && ` Hint: ${error.hint}.`}` : String(error)}`)
  }

  /**
   * kept returns the value of a field of the client that may reach the handler, or undefined. A field that states an
   * identity, or another method or target than the decided ones, may not, nor one that is replaced by a verified value.
   * traceparent is that of the client.
   */
  kept(name, value, decision, traceparent) {
    const folded = fold(name)
    if (folded === 'authorization' && this.#options.keepAuthorization !== true) return undefined
    if (folded === 'connection') return withoutIdentity(value, decision)
    if (folded === 'upgrade' && value.toLowerCase() !== 'websocket') return undefined // h2c could carry requests without a decision
    if (folded === 'tracestate' && traceparent !== decision.identity?.Traceparent) return undefined // it belongs to the client's own Traceparent
    return statesIdentity(folded, decision) || replaced.has(folded) || folded.startsWith('x-original-') ? undefined : value
  }
}

/** statesIdentity reports whether only a decision may set a field. */
function statesIdentity(folded, decision) {
  return ['X-Toksta-', decision.identity_prefix || 'X-Toksta-'].some((prefix) => folded.startsWith(fold(prefix))) ||
    Object.keys(decision.identity ?? {}).some((name) => fold(name) === folded)
}

/** withoutIdentity returns a Connection field without the names of verified fields, which a proxy behind the handler would remove. */
function withoutIdentity(value, decision) {
  const options = value.split(',').map((option) => option.trim()).filter((option) => option !== '' && !statesIdentity(fold(option), decision))
  return options.length === 0 ? undefined : options.join(', ')
}

// Fields with a verified value, and fields that state another method, target or part of the path (Gunicorn and Daphne cut it off).
const replaced = new Set([
  'http2-settings', 'x-request-id', 'x-trace-id', 'traceparent', 'x-rewrite-url', 'x-http-method-override', 'x-http-method', 'x-method-override',
  'script-name', 'x-script-name', 'path-info', 'daphne-root-path',
])

/** fold returns a field name as CGI and some servers compare it: lower case, "-" for every other character. */
export function fold(name) {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

/** body returns the bytes of a rejection as Toksta itself sends them: characters of HTML are escaped. */
export function body(decision) {
  const text = JSON.stringify(decision.response.body ?? {})
  return Buffer.from(text.replace(/[<>&\u2028\u2029]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')))
}

/** headers returns the header fields for the client. The length of a body is that of its bytes. */
export function headers(decision) {
  return Object.entries(decision.response.headers).filter(([name]) => name.toLowerCase() !== 'content-length')
}

const lists = new Set(['access-control-expose-headers', 'vary'])

/** merged returns the value of a header field beside one that is already set: lists are joined, others replaced. */
export function merged(name, value, set) {
  if (set === undefined || set === null || set === '' || !lists.has(name.toLowerCase())) return value
  return `${Array.isArray(set) ? set.join(', ') : set}, ${value}`
}

function joined(lines) {
  return lines.length === 0 ? undefined : lines.join(', ')
}

function value(option, context) {
  return typeof option === 'function' ? option(context) : option
}

function compact(object) {
  return Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined))
}

/** failed is the decision on a call that Toksta did not decide. It is the only response that this package makes itself. */
function failed(status, code, message, { id, source }) {
  return {
    admitted: false, code, message,
    response: {
      status,
      headers: {
        'Cache-Control': 'no-store', 'Content-Type': 'application/json', 'Cross-Origin-Resource-Policy': 'same-origin',
        ...(status === 503 ? { 'Retry-After': '1' } : {}), 'X-Content-Type-Options': 'nosniff', 'X-Request-Id': id, [source]: 'gateway',
      },
      body: { success: false, error: { code, message }, meta: { request_id: id } },
    },
  }
}

/** requestID returns "req_" and a ULID. */
function requestID() {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  let text = ''
  for (let i = 0, n = Date.now(); i < 10; i++, n = Math.floor(n / 32)) text = digits[n % 32] + text
  for (const byte of randomBytes(16)) text += digits[byte & 31]
  return 'req_' + text
}
