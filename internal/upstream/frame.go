package upstream

import "strings"

// maxLengthDigits is the number of digits of the longest Content-Length.
const maxLengthDigits = 18

// setFrame finds the end of the body by RFC 9112, section 6.3. It rejects a header from
// which another parser could find another end.
func (h *head) setFrame(method string, minor byte) error {
	h.length = -1
	var chunked, closes, persists bool
	for _, f := range h.fields {
		switch f.Name {
		case "Content-Length":
			n, ok := parseLength(f.Value)
			if !ok || h.length >= 0 {
				return malformed("the Content-Length is not one number")
			}
			h.length = n
		case "Transfer-Encoding":
			if chunked || minor == 0 || !strings.EqualFold(f.Value, "chunked") {
				return malformed("the Transfer-Encoding is not chunked, stated once, in HTTP/1.1")
			}
			chunked = true
		case "Connection":
			closes = closes || hasElement(f.Value, "close")
			persists = persists || hasElement(f.Value, "keep-alive")
		case "Trailer":
			if hasElement(f.Value, "content-length") || hasElement(f.Value, "transfer-encoding") || hasElement(f.Value, "trailer") {
				return malformed("the trailer would hold the length of the body")
			}
		}
	}
	h.close = closes || minor == 0 && !persists
	if chunked && h.length >= 0 {
		return malformed("both Content-Length and Transfer-Encoding")
	}
	noBody := h.status < 200 || h.status == 204
	if noBody && (chunked || h.length > 0) {
		return malformed("a body in a response that has none")
	}
	switch {
	case noBody, h.status == 304, method == "HEAD", h.length == 0:
		h.frame = frameNone
	case chunked:
		h.frame = frameChunked
	case h.length > 0:
		h.frame = frameLength
	default:
		h.frame, h.close = frameClose, true
	}
	return nil
}

// parseLength parses a Content-Length: digits only.
func parseLength(s string) (n int64, ok bool) {
	if s == "" || len(s) > maxLengthDigits {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// hasElement reports whether a list contains an element, in any case.
func hasElement(list, element string) bool {
	for list != "" {
		var e string
		e, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(strings.Trim(e, " \t"), element) {
			return true
		}
	}
	return false
}
