package config

import "regexp"

// The patterns of values and of decoder messages, compiled once.
var (
	contentPattern     = regexp.MustCompile(`(?m)^\s*[^#\s]`)                                   // a line that is more than a comment
	decodeErrorPattern = regexp.MustCompile("^cannot construct (\\S+)(?: `(.*)`)? into (\\S+)") // a message of the YAML decoder: type, value, target
	eventTypePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:-]*$`)                   // type of an exported event
	headerPattern      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$`)           // prefix of header fields
	hostPattern        = regexp.MustCompile(`^[\pL\pN_]([\pL\pM\pN_.-]*[\pL\pM\pN_])?\.?$`)     // a host name, in any script
	notHostPattern     = regexp.MustCompile(`\.\.|(^|\.)[0-9]+\.?$`)                            // an empty label, or an IPv4 address
	namePattern        = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)                           // see isName
	operationPattern   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,79}$`)                   // operation of a route
	planPattern        = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`)                           // id of a plan
	prefixPattern      = regexp.MustCompile(`^[a-z][a-z0-9_]{1,30}_$`)                          // prefix of the secrets
	variablePattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)                    // name of an environment variable
	webhookPattern     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)                           // name of a webhook
)
