// Reads and changes the request of node:http, on which Express, Fastify and Hono's Node server are built.
/**
 * lines returns a function that returns the values of a field, one for each line. It reads rawHeaders, because
 * headers keeps only the first of two Authorization lines.
 */
export function lines(incoming) {
  return (name) => {
    const values = []
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
      if (incoming.rawHeaders[i].toLowerCase() === name) values.push(text(incoming.rawHeaders[i + 1]))
    }
    return values
  }
}

/** text decodes a field: node:http gives each byte as one character. */
function text(value) {
  return Buffer.from(value, 'latin1').toString('utf8')
}

/** replaceIdentity removes the fields that guard rejects, in every spelling, and sets the verified ones. */
export function replaceIdentity(incoming, guard, decision) {
  // node:http computes both objects from rawHeaders when they are first read, so they are read before it changes.
  const { headers, headersDistinct = {} } = incoming // HTTP/2 has no headersDistinct
  const traceparent = lines(incoming)('traceparent').join(', ')
  const raw = []
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    const value = guard.kept(incoming.rawHeaders[i], incoming.rawHeaders[i + 1], decision, traceparent)
    if (value !== undefined) raw.push(incoming.rawHeaders[i], value)
  }
  for (const fields of [headers, headersDistinct]) {
    for (const [name, value] of Object.entries(fields)) {
      const kept = guard.kept(name, String(value), decision, traceparent)
      if (kept === undefined) delete fields[name]
      else if (kept !== String(value)) fields[name] = Array.isArray(value) ? [kept] : kept
    }
  }
  for (const [name, value] of Object.entries(decision.identity ?? {})) {
    raw.push(name, value)
    headers[name.toLowerCase()] = value
    headersDistinct[name.toLowerCase()] = [value]
  }
  incoming.rawHeaders.splice(0, Infinity, ...raw)
}

/** checkRequest decides on a request of node:http. target is the request target as sent. */
export function checkRequest(guard, incoming, target, context) {
  return guard.check({ method: incoming.method, target, peer: incoming.socket?.remoteAddress, lines: lines(incoming), context })
}

