// Package program reads the flags that the example programs share.
package program

import (
	"flag"
	"log"
	"os"
	"strings"

	"github.com/toksta/toksta/sdk/client"
)

// Flags reads the command line and returns a verifier of the server that it names, and
// the address to listen on. It ends the program if the key cannot be read.
func Flags() (v *client.Verifier, listen string) {
	server := flag.String("toksta", "toksta-data/toksta.sock", "socket of Toksta, or URL of its operator listener")
	keyFile := flag.String("key-file", "", "file with an operator key of the role verify, for a URL")
	flag.StringVar(&listen, "listen", "127.0.0.1:9000", "address of this API")
	flag.Parse()
	if *keyFile == "" {
		return client.NewVerifier(*server), listen
	}
	key, err := os.ReadFile(*keyFile)
	if err != nil {
		log.Fatal(err)
	}
	return client.NewVerifier(*server, client.WithKey(strings.TrimSpace(string(key)))), listen
}
