// Reads and changes requests of the Fetch standard, which Hono and Next use.
import { body, headers, merged } from './guard.js'

/** checkFetch decides on a Request. Headers joins the lines of a field with ", ". */
export function checkFetch(guard, request, context, { target, peer, lines } = {}) {
  const url = new URL(request.url)
  return guard.check({
    method: request.method, target: target ?? url.pathname + url.search, peer, context,
    lines: lines ?? ((name) => (request.headers.has(name) ? [request.headers.get(name)] : [])),
  })
}

/** identified returns the request, as an instance of Class, with the verified fields in place of the client's. */
export function identified(guard, request, decision, Class = Request) {
  const fields = new Headers(request.headers)
  for (const [name, value] of [...fields]) {
    const kept = guard.kept(name, value, decision, request.headers.get('traceparent'))
    if (kept === undefined) fields.delete(name)
    else if (kept !== value) fields.set(name, kept)
  }
  for (const [name, value] of Object.entries(decision.identity ?? {})) fields.set(name, value)
  return new Class(request, { headers: fields })
}

/** rejection returns the response to a call that is not admitted. */
export function rejection(decision, method) {
  const bytes = body(decision)
  const fields = [...headers(decision), ['Content-Length', String(bytes.length)]]
  return new Response(method === 'HEAD' ? null : bytes, { status: decision.response.status, headers: fields })
}

/** withFields returns the response of a handler with the fields of the decision. */
export function withFields(response, decision) {
  const fields = new Headers(response.headers)
  for (const [name, value] of headers(decision)) fields.set(name, merged(name, value, fields.get(name)))
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers: fields })
}
