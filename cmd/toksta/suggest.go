package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// suggestionDistance is the largest number of typing errors in a word that is still
// recognized.
const suggestionDistance = 2

// unknownCommand returns the error for a word that is no command of cmd. It suggests similar
// commands or, for the verb of a noun, the noun with the verb.
func unknownCommand(cmd *cobra.Command, word string) error {
	cmd.SuggestionsMinimumDistance = suggestionDistance
	var similar []string
	for _, name := range append(cmd.SuggestionsFor(word), synonyms(cmd, word)...) {
		similar = append(similar, cmd.CommandPath()+" "+name)
	}
	if !cmd.HasParent() {
		for _, noun := range cmd.Commands() {
			for _, verb := range noun.Commands() {
				if verb.Name() == word {
					similar = append(similar, verb.CommandPath())
				}
			}
		}
	}
	text := fmt.Sprintf("unknown command %q for %q", word, cmd.CommandPath())
	if len(similar) > 0 {
		slices.Sort(similar)
		text += "; did you mean " + strings.Join(slices.Compact(similar), " or ") + "?"
	}
	return usageError{fmt.Errorf("%s", text), cmd.CommandPath()}
}

// synonyms returns the verbs of cmd that other programs call by a word.
func synonyms(cmd *cobra.Command, word string) (names []string) {
	others := map[string][]string{
		"list": {"ls", "all", "find", "search"}, "show": {"get", "describe", "info", "view", "cat"}, "create": {"add", "new", "make"},
		"revoke": {"delete", "remove", "rm", "disable", "destroy"}, "rename": {"edit", "update", "mv"},
		"rotate": {"renew", "roll", "regenerate"}, "top-up": {"add", "buy", "grant"}, "add-member": {"member"}, "remove": {"delete", "rm", "kick"}, "end-sessions": {"logout", "sign-out", "signout"}, "close": {"delete", "remove", "cancel"}, "erase": {"purge", "forget", "gdpr"},
	}
	for _, verb := range cmd.Commands() {
		if slices.Contains(others[verb.Name()], word) {
			names = append(names, verb.Name())
		}
	}
	return names
}
