package operator

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/toksta/toksta/internal/text"
)

// jsonReader reads JSON in one pass. Each method reads from the present position and
// returns an error if the syntax there is wrong.
type jsonReader struct {
	data []byte
	at   int
}

// malformedJSON returns the error for a syntax error.
func malformedJSON() error {
	return badRequest("The request is malformed: this is not one JSON object.")
}

// next skips white space and returns the next byte, 0 at the end.
func (p *jsonReader) next() byte {
	for ; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing follows.
func (p *jsonReader) end() error {
	if p.next(); p.at < len(p.data) {
		return badRequest("The request is malformed: there is data after the JSON object.")
	}
	return nil
}

// take skips white space and the byte c. It returns false if another byte is next.
func (p *jsonReader) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

// object reads an object. It calls member with each name, before the value.
func (p *jsonReader) object(member func(name string) error) error {
	if !p.take('{') {
		return malformedJSON()
	}
	if p.take('}') {
		return nil
	}
	for {
		if p.next() != '"' {
			return malformedJSON()
		}
		name, err := p.str()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return malformedJSON()
		}
		if err := member(name); err != nil {
			return err
		}
		if p.take('}') {
			return nil
		}
		if !p.take(',') {
			return malformedJSON()
		}
	}
}

// array reads an array. It calls element before each value.
func (p *jsonReader) array(element func() error) error {
	if !p.take('[') {
		return malformedJSON()
	}
	if p.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return malformedJSON()
		}
	}
}

// str reads a string, whose quotation mark is next. Most strings are plain ASCII.
func (p *jsonReader) str() (string, error) {
	start := p.at
	plain := true
	for p.at++; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			if plain {
				return string(p.data[start+1 : p.at-1]), nil
			}
			return unquote(p.data[start:p.at])
		case c == '\\':
			plain = false
			p.at++
		case c < ' ':
			return "", malformedJSON()
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return "", malformedJSON()
}

// unquote decodes a string with escapes or characters outside ASCII.
func unquote(quoted []byte) (s string, err error) {
	if err := text.CheckJSON(quoted); err != nil {
		return "", badRequest("The request has text that is not valid UTF-8.")
	}
	if json.Unmarshal(quoted, &s) != nil {
		return "", malformedJSON()
	}
	if strings.Contains(s, "\x00") {
		return "", badRequest("The request has the character U+0000.")
	}
	return s, nil
}

// skip skips a value of any type.
func (p *jsonReader) skip() error {
	p.next()
	rest := p.data[p.at:]
	// Numbers and null, the values of well-formed calls, need no decoder.
	n := bytes.IndexAny(rest, ",]} \t\r\n")
	if n > 0 && rest[0] != '"' && rest[0] != '{' && rest[0] != '[' {
		if !json.Valid(rest[:n]) {
			return malformedJSON()
		}
		p.at += n
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(rest))
	var value json.RawMessage
	if d.Decode(&value) != nil || text.CheckJSON(value) != nil {
		return malformedJSON()
	}
	p.at += int(d.InputOffset())
	return nil
}
