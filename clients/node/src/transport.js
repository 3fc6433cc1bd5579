// Sends one POST request to the operator API, over a URL with fetch or over a Unix socket with node:http.
// Both keep connections open, follow no redirect, repeat no request and stop at the deadline.
import http from 'node:http'
import { unavailable } from './errors.js'

const maxResponse = 64 << 20 // bytes

/**
 * overFetch returns a function that posts to a URL. Redirects are errors, so that the operator key reaches no other server.
 */
export function overFetch(base, fetcher) {
  return async (path, headers, body, timeout) => {
    const signal = AbortSignal.timeout(timeout)
    try {
      const response = await fetcher(base + path, { method: 'POST', headers, body, signal, redirect: 'error' })
      return { status: response.status, type: response.headers.get('content-type') ?? '', text: await bounded(response) }
    } catch (error) {
      throw failure(error, signal, timeout, base)
    }
  }
}

/** bounded reads the body of a response up to maxResponse. */
async function bounded(response) {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxResponse) throw new Error(`the response is larger than ${maxResponse} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** overSocket returns a function that posts to the Unix socket at path. */
export function overSocket(socketPath) {
  const agent = new http.Agent({ keepAlive: true, timeout: 30_000 })
  return async (path, headers, body, timeout) => {
    const signal = AbortSignal.timeout(timeout)
    try {
      return await post({ socketPath, agent, path, method: 'POST', signal, headers: { ...headers, host: 'toksta', 'content-length': Buffer.byteLength(body) } }, body)
    } catch (error) {
      throw failure(error, signal, timeout, socketPath)
    }
  }
}

function post(options, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(options, async (response) => {
      try {
        const chunks = []
        let size = 0
        for await (const chunk of response) {
          size += chunk.length
          if (size > maxResponse) throw new Error(`the response is larger than ${maxResponse} bytes`)
          chunks.push(chunk)
        }
        resolve({ status: response.statusCode, type: response.headers['content-type'] ?? '', text: Buffer.concat(chunks).toString() })
      } catch (error) {
        reject(error)
      }
    })
    request.on('error', reject)
    request.end(body)
  })
}

/**
 * limited returns a function that posts like post, with at most so many requests at the same time: a burst must not use up
 * the connections of the server. Others wait; one that has waited for most of its time is not sent.
 */
export function limited(post, most) {
  let free = most
  const waiting = new Set()
  const turn = (timeout) => new Promise((resolve, reject) => {
    const waiter = () => {
      clearTimeout(timer)
      waiting.delete(waiter)
      resolve()
    }
    const timer = setTimeout(() => {
      waiting.delete(waiter)
      reject(unavailable('timeout', `${most} requests to Toksta were in progress for ${Math.round(timeout)} ms. This one was not sent.`))
    }, timeout)
    waiting.add(waiter)
  })
  return async (path, headers, body, timeout) => {
    const began = performance.now()
    if (free > 0) free--
    else await turn(timeout * 0.75)
    try {
      return await post(path, headers, body, Math.max(1, Math.ceil(timeout - (performance.now() - began))))
    } finally {
      const [next] = waiting
      if (next === undefined) free++
      else next()
    }
  }
}

/** failure describes an error without its request: only the code of the cause, never a header field. */
function failure(error, signal, timeout, address) {
  if (signal.aborted) {
    return unavailable('timeout', `Toksta at ${address} did not respond within ${timeout} ms. If the call was a change, it was possibly made.`)
  }
  const cause = error?.cause?.code ?? error?.code ?? error?.cause?.message ?? 'connection error'
  return unavailable('unreachable', `Toksta at ${address} cannot be reached (${cause}). Check its address and that it runs.`)
}
