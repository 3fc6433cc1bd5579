package openapi

// Document is an OpenAPI document of version 3.0 or later as plain values. Every
// local reference is resolved. Texts are as in the document: descriptions are
// Markdown, which can contain HTML, so a page must escape or sanitise them.
type Document struct {
	Version     string // of OpenAPI, such as "3.0.3"
	Title       string
	APIVersion  string // of the API that the document describes
	Description string
	Servers     []Server
	Tags        []Tag // in the order of the document; tags without a declaration follow
	Operations  []Operation
	Problems    []Problem // parts that could not be read; everything else is in the document
}

// Server is an address of the API. Its variables have their default values.
type Server struct {
	URL         string
	Description string
}

// Tag is a group of operations.
type Tag struct {
	Name        string
	Description string
}

// Problem is a part of the document that was left out.
type Problem struct {
	Line    int    // 0: unknown
	Where   string // such as "GET /forecast/{city}"; "" for the whole document
	Message string // a sentence
}

// Operation is one method of one path.
type Operation struct {
	Line        int    // of its definition
	Method      string // in upper case
	Path        string // as in the document, such as "/forecast/{city}"
	Base        string // path of the server, without a final slash; "" for the root
	ID          string // operationId; can be empty, and can be repeated in a bad document
	Summary     string // one line
	Description string
	Tags        []string
	Deprecated  bool
	Security    Security
	Parameters  []Parameter // path parameters first, then as in the document
	Body        *Body       // nil: none
	Responses   []Response  // as in the document
}

// Security lists the ways to authenticate a call of an operation.
type Security struct {
	Public   bool // the document states that no credential is needed
	Optional bool // a call without a credential is one of the ways
	Schemes  []Scheme
}

// Scheme is one security scheme.
type Scheme struct {
	Name   string // in the document
	Type   string // http, apiKey, oauth2, openIdConnect or mutualTLS
	In     string // of apiKey: header, query or cookie
	Param  string // of apiKey: name of the header field, parameter or cookie
	Scheme string // of http, in lower case: bearer or basic, for example
}

// Parameter is a parameter of an operation, or a header field of a response.
type Parameter struct {
	Name        string
	In          string // path, query, header or cookie
	Description string
	Required    bool
	Deprecated  bool
	Value       Value
	Example     string // a value as it is written in a request; "": none is known
}

// Body is the body of a request.
type Body struct {
	Description string
	Required    bool
	Content     []Media
}

// Response is a response to an operation.
type Response struct {
	Status      string // such as "200", "4XX" or "default"
	Description string
	Headers     []Parameter
	Content     []Media
}

// Media is one representation of a body.
type Media struct {
	Type     string    // such as "application/json"
	Value    Value     // of the whole body
	Fields   []Field   // below it, in the order of the document; media of one schema share the array
	More     bool      // Fields is not complete, because the schema is large or refers to itself
	Examples []Example // of the document, or one that is generated from the schema; can be empty
}

// Field is a property of an object in a body. The fields of an object follow it
// with a greater depth.
type Field struct {
	Depth       int    // 0: of the body itself, or of the elements if the body is an array
	Name        string // of the property; "" if Choice is set
	Choice      string // of alternatives, such as "1 of 2: Card"; its fields follow with a greater depth
	Description string
	Required    bool
	Deprecated  bool
	ReadOnly    bool // only in responses
	WriteOnly   bool // only in requests
	Value       Value
}

// Value describes the values that a schema admits.
type Value struct {
	Type    string   // for people, such as "string", "array of integer" or "string or null"
	Format  string   // such as "date-time"
	Default string   // as an example would be written; "": none
	Enum    []string // all values, if they are listed
	Limits  []string // such as "at most 100" and "matches ^[a-z]+$"
}

// Example is an example of a body.
type Example struct {
	Name      string // in the document; "": it has none
	Summary   string
	Value     string // text of the body; JSON is indented
	Generated bool   // made from the schema
}
