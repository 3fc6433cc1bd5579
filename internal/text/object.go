package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CheckObject returns an error unless data is one JSON object that every decoder reads in the same way: text that
// CheckJSON accepts, no object with a name twice, nothing behind the object. Names are compared as encoding/json matches
// them, without regard to case. U+0000 is an error as well, since one database keeps it and another does not.
func CheckObject(data []byte) error {
	if err := CheckJSON(data); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []*scope
	for first := true; ; first = false {
		token, err := d.Token()
		if err != nil {
			return errors.New("this is not one JSON object")
		}
		if text, ok := token.(string); ok && strings.Contains(text, "\x00") {
			return errors.New("it holds the character U+0000, which no database keeps")
		}
		if first && token != json.Delim('{') {
			return errors.New("this is not a JSON object")
		}
		if open, err = step(open, token); err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is data after the JSON object")
	}
	return nil
}

// scope is an object or array being read; names is nil in an array.
type scope struct {
	names   map[string]bool
	wantKey bool
}

// step takes one token into the stack of open objects and arrays.
func step(open []*scope, token json.Token) ([]*scope, error) {
	if len(open) > 0 {
		top := open[len(open)-1]
		if name, ok := token.(string); ok && top.wantKey {
			folded := strings.ToLower(name)
			if top.names[folded] {
				return nil, fmt.Errorf("the name %q is given twice", name)
			}
			top.names[folded] = true
			top.wantKey = false
			return open, nil
		}
		top.wantKey = top.names != nil
	}
	switch token {
	case json.Delim('{'):
		return append(open, &scope{names: map[string]bool{}, wantKey: true}), nil
	case json.Delim('['):
		return append(open, &scope{}), nil
	case json.Delim('}'), json.Delim(']'):
		return open[:len(open)-1], nil
	}
	return open, nil
}
