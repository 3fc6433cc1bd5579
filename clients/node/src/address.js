import { BlockList, isIP } from 'node:net'

/** plain returns an address without the IPv6 form of IPv4 and without a zone, "" if it is not an address. */
export function plain(text = '') {
  const address = text.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
  return isIP(address) === 0 ? '' : address
}

/** hop parses an element of X-Forwarded-For: an address with or without a port or, in IPv6, brackets. */
function hop(element) {
  const inBrackets = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(element)
  if (inBrackets !== null) return inBrackets[1].includes(':') ? plain(inBrackets[1]) : ''
  return plain(element.replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1'))
}

/** Proxies are the networks of the proxies whose X-Forwarded-For is believed. Without any, it never is. */
export class Proxies {
  #networks = new BlockList()

  constructor(networks = []) {
    for (const text of networks) {
      const [address, bits, more] = String(text).split('/')
      const family = isIP(address)
      const size = bits === undefined ? (family === 4 ? 32 : 128) : Number(bits)
      if (family === 0 || more !== undefined || !/^\d{1,3}$/.test(bits ?? '0') || size > (family === 4 ? 32 : 128)) {
        throw new TypeError(`Toksta: proxies has a network such as 10.0.0.0/8, not ${text}.`)
      }
      this.#networks.addSubnet(address, size, family === 4 ? 'ipv4' : 'ipv6')
    }
  }

  #trusts(address) {
    return address !== '' && this.#networks.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }

  /**
   * address returns the client's address: that of the peer or, if the peer is a trusted proxy, the last element of
   * X-Forwarded-For that is not one. It returns undefined if a malformed element would decide.
   */
  address(peer, lines) {
    let address = plain(peer)
    const hops = lines.flatMap((line) => line.split(',')).map((e) => e.trim()).filter((e) => e !== '')
    while (this.#trusts(address) && hops.length > 0) {
      address = hop(hops.pop())
      if (address === '') return undefined
    }
    return address
  }
}
