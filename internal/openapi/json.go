package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// jsonLoader converts JSON to the nodes of YAML, with line numbers.
type jsonLoader struct {
	data    []byte
	decoder *json.Decoder
	nodes   int
	counted int64 // bytes whose line breaks are in line
	line    int
}

// loadJSON parses a JSON text that is one object.
func loadJSON(data []byte) (*yaml.Node, error) {
	l := &jsonLoader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	l.decoder.UseNumber()
	n, err := l.value(0)
	if err == nil {
		if _, end := l.decoder.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("text follows the object")
		}
	}
	if err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			l.advance(syntax.Offset)
		}
		return nil, fmt.Errorf("the document starts with { and is not JSON: line %d: %w", l.line, err)
	}
	return n, nil
}

// advance sets the line to that of an offset.
func (l *jsonLoader) advance(offset int64) {
	end := min(offset, int64(len(l.data)))
	if end > l.counted {
		l.line += bytes.Count(l.data[l.counted:end], []byte("\n"))
		l.counted = end
	}
}

// value reads the next value, at a depth of nested values.
func (l *jsonLoader) value(depth int) (*yaml.Node, error) {
	token, err := l.decoder.Token()
	if err != nil {
		return nil, err
	}
	if l.nodes++; l.nodes > maxNodes {
		return nil, fmt.Errorf("more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d nested values", maxDepth)
	}
	l.advance(l.decoder.InputOffset())
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: l.line}
	switch v := token.(type) {
	case json.Delim:
		return n, l.members(n, v, depth)
	case string:
		n.Tag, n.Value = "!!str", v
	case json.Number:
		n.Tag, n.Value = "!!int", v.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(v)
	default:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}

// members reads the rest of an object or a list into n.
func (l *jsonLoader) members(n *yaml.Node, open json.Delim, depth int) error {
	n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
	if open == '{' {
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
	}
	for l.decoder.More() {
		member, err := l.value(depth + 1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, member)
	}
	_, err := l.decoder.Token() // the closing bracket
	return err
}
