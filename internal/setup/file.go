package setup

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// file is a configuration file as lines, with the nodes of its settings.
type file struct {
	lines []string // with their line breaks
	root  *yaml.Node
	eol   string // line break of added lines
}

// section is the list of one setting in a file.
type section struct {
	name    string
	line    int     // of the name; 0: the file does not have the setting
	empty   bool    // the value is [] or nothing, on the line of the name
	last    int     // last line with an entry, or the line of the name
	indent  string  // before the dash of an entry
	entries []entry // in the order of the file
}

// entry is one element of a list, with its lines.
type entry struct {
	node        *yaml.Node
	first, last int
}

// parseFile reads a configuration file. A file with comments only is an empty map.
func parseFile(text string) (*file, error) {
	f := &file{lines: strings.SplitAfter(text, "\n"), eol: "\n"}
	if strings.Contains(text, "\r\n") {
		f.eol = "\r\n"
	}
	if strings.TrimSpace(text) == "" {
		return f, nil
	}
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil {
		if len(f.content(1, len(f.lines))) == 0 {
			return f, nil
		}
		return nil, fmt.Errorf("the file is not YAML: %w", err)
	}
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		f.root = doc.Content[0]
		return f, nil
	}
	return nil, errNotMap
}

// content returns the numbers of the lines, from first to last, that are neither
// empty nor comments.
func (f *file) content(first, last int) []int {
	var out []int
	for line := first; line <= min(last, len(f.lines)); line++ {
		t := strings.TrimSpace(f.lines[line-1])
		if t != "" && t[0] != '#' && !strings.HasPrefix(f.lines[line-1], "---") && !strings.HasPrefix(f.lines[line-1], "...") {
			out = append(out, line)
		}
	}
	return out
}

// section finds the list of a setting. A list in brackets that is not empty cannot
// be edited by lines.
func (f *file) section(name string) (section, error) {
	s := section{name: name, indent: "  "}
	end := len(f.lines)
	var list *yaml.Node
	if f.root != nil {
		for i := 0; i+1 < len(f.root.Content); i += 2 {
			key := f.root.Content[i]
			switch {
			case key.Value == name:
				s.line, list = key.Line, f.root.Content[i+1]
			case s.line > 0:
				end = key.Line - 1
			}
			if s.line > 0 && key.Value != name {
				break
			}
		}
	}
	if s.line == 0 {
		return s, nil
	}
	s.last = s.line
	isList := list.Kind == yaml.SequenceNode
	switch {
	case isList && len(list.Content) == 0, list.Kind == yaml.ScalarNode && list.Tag == "!!null":
		s.empty = true
		return s, nil
	case !isList || list.Style&yaml.FlowStyle != 0:
		return s, fmt.Errorf("line %d: %s is not a list with one entry on each line; write each entry after a dash", s.line, name)
	}
	for i, n := range list.Content {
		first := n.Line
		for first > s.line && !strings.HasPrefix(strings.TrimSpace(f.lines[first-1]), "-") {
			first-- // the dash is on a line of its own
		}
		if i > 0 {
			s.entries[i-1].last = first - 1
		}
		s.entries = append(s.entries, entry{node: n, first: first, last: end})
	}
	for i := range s.entries {
		e := &s.entries[i]
		if lines := f.content(e.first, e.last); len(lines) > 0 {
			e.last = lines[len(lines)-1]
		}
		s.last = e.last
	}
	line := f.lines[s.entries[0].first-1]
	s.indent = line[:len(line)-len(strings.TrimLeft(line, " "))]
	return s, nil
}

// insertion is a number of entries to add to a section.
type insertion struct {
	section
	entries []string
}

// apply returns the text without the deleted lines and with the insertions, each
// after the last entry of its section.
func (f *file) apply(deleted map[int]bool, insertions ...insertion) string {
	var b strings.Builder
	write := func(line string) {
		if text := b.String(); text != "" && !strings.HasSuffix(text, "\n") {
			b.WriteString(f.eol)
		}
		b.WriteString(line)
	}
	for i, line := range f.lines {
		if !deleted[i+1] && line != "" {
			for _, in := range insertions {
				if in.line == i+1 && in.empty && len(in.entries) > 0 {
					line = strings.Replace(line, " []", "", 1)
				}
			}
			write(line)
		}
		for _, in := range insertions {
			if in.line > 0 && in.last == i+1 {
				for _, e := range in.entries {
					write(in.indent + e + f.eol)
				}
			}
		}
	}
	for _, in := range insertions {
		if in.line == 0 && len(in.entries) > 0 {
			write(f.eol + in.name + ":" + f.eol)
			for _, e := range in.entries {
				write(in.indent + e + f.eol)
			}
		}
	}
	return b.String()
}
