package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// CheckObject returns an error unless data is one JSON object that every decoder reads in the same
// way: CheckJSON accepts it, no object has a name twice, and nothing follows the object. Names are
// compared without case, like in encoding/json. U+0000 is an error, because not every database can
// store it.
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
			return errors.New("it contains the character U+0000, which cannot be stored")
		}
		if first && token != json.Delim('{') {
			return errors.New("this is not a JSON object")
		}
		if open, err = pushToken(open, token); err != nil {
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

// scope is an open object or array. names is nil in an array.
type scope struct {
	names   map[string]bool
	wantKey bool
}

// pushToken updates open, the stack of open objects and arrays, with one token.
func pushToken(open []*scope, token json.Token) ([]*scope, error) {
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
