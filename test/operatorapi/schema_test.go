package operatorapi

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON encodes the members in their order, without the escapes for HTML.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := encode(m.name)
		if err != nil {
			return nil, err
		}
		text, err := encode(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(text)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// encode returns v as JSON without the escapes for HTML.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// with returns o with a further member at its end, unless the value is an empty string.
func (o object) with(name string, value any) object {
	if value == "" {
		return o
	}
	return append(slices.Clip(o), member{name, value})
}

// openTypes have constants for the shipped configuration, and the vendor can configure others.
var openTypes = []string{"toksta.Status", "toksta.Reason", "toksta.Family"}

// fieldTypes are the enumerations of fields that are plain strings in the client, so that the
// public module does not depend on the server.
var fieldTypes = map[string]reflect.Type{
	"client.Delivery.State":          reflect.TypeFor[store.DeliveryState](),
	"client.ListEventsRequest.State": reflect.TypeFor[store.DeliveryState](),
	"client.Reservation.State":       reflect.TypeFor[store.ReservationState](),
	"client.CreditEntry.Kind":        reflect.TypeFor[store.CreditKind](),
	"client.UsageByRequest.By":       reflect.TypeFor[usage.Dimension](),
	"client.UsageTable.By":           reflect.TypeFor[usage.Dimension](),
}

// fieldSchemas are the schemas of fields that their Go types do not describe.
var fieldSchemas = map[string]object{
	"client.VerifyReply.Body": {{"type", "object"}, {"additionalProperties", true}},
	"client.Event.Data":       {{"type", "object"}, {"additionalProperties", true}},
	"client.Receipt.Kind":     {{"anyOf", []object{reference("ChangeKind"), {{"const", ""}}}}},
	"client.Check.Level":      {{"type", "string"}, {"enum", []string{client.LevelOK, client.LevelWarn, client.LevelFail}}},
	"Limit":                   {{"type", "integer"}, {"minimum", 0}, {"maximum", 1000}, {"default", 100}},
}

// schemas converts Go types to JSON Schemas of draft 2020-12.
type schemas struct {
	t        *testing.T
	source   *source
	named    map[string]object // components, by name
	types    map[string]reflect.Type
	requests map[string]bool // components that are part of a request: other members are rejected
}

func newSchemas(t *testing.T, s *source) *schemas {
	return &schemas{t: t, source: s, named: map[string]object{}, types: map[string]reflect.Type{}, requests: map[string]bool{}}
}

// reference returns a reference to a component.
func reference(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// of returns the schema of a type. In a request, other members than those of the type are
// rejected.
func (s *schemas) of(t reflect.Type, request bool) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case reflect.TypeFor[netip.Prefix]():
		return object{{"type", "string"}, {"pattern", `^[0-9A-Fa-f:.]+/[0-9]{1,3}$`}}
	case reflect.TypeFor[netip.Addr]():
		return object{{"type", "string"}, {"pattern", `^[0-9A-Fa-f:.]+(%.+)?$`}}
	case reflect.TypeFor[json.Number](), reflect.TypeFor[toksta.Amount]():
		return object{{"type", "number"}}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case reflect.TypeFor[usage.Report]():
		s.addReport()
		return reference("UsageReport")
	}
	for _, encoder := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(encoder) && t.Kind() != reflect.Pointer {
			s.t.Errorf("%v encodes itself: add its schema to this test", t)
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), request)
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return object{{"type", "integer"}, {"format", "int64"}}
	case reflect.Float64:
		return object{{"type", "number"}}
	case reflect.String:
		return s.text(t)
	case reflect.Slice:
		return object{{"type", "array"}, {"items", s.of(t.Elem(), request)}}
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", s.of(t.Elem(), request)}}
	case reflect.Struct:
		return s.structure(t, request)
	}
	s.t.Errorf("%v has no schema: add it to this test", t)
	return object{}
}

// text returns the schema of a string type, with all its values if no others are valid.
func (s *schemas) text(t reflect.Type) object {
	values := s.source.values[t.String()]
	if len(values) == 0 || slices.Contains(openTypes, t.String()) {
		return object{{"type", "string"}}
	}
	name := componentName(t)
	if s.isNew(name, t) {
		description := s.source.forReaders(s.source.comments[t.String()], nil)
		var texts []string
		for _, v := range values {
			texts = append(texts, v.text)
			if t == reflect.TypeFor[toksta.Code]() {
				v.comment = "status " + strconv.Itoa(httpauth.Status(toksta.Code(v.text)))
			}
			if v.comment != "" {
				description += "\n- `" + v.text + "`: " + s.source.forReaders(v.comment, nil)
			}
		}
		s.named[name] = object{{"type", "string"}, {"enum", texts}}.with("description", strings.Replace(description, "\n- ", "\n\n- ", 1))
	}
	return reference(name)
}

// componentName returns the name of the component of a type. The usage report has types of the
// same names as the client.
func componentName(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[usage.Report]().PkgPath() {
		return "Usage" + t.Name()
	}
	return t.Name()
}

// isNew reserves the name of a component. It reports whether the component has yet to be described.
func (s *schemas) isNew(name string, t reflect.Type) bool {
	known, ok := s.types[name]
	if ok && known != t {
		s.t.Errorf("two types have the name %s: %v and %v", name, known, t)
	}
	s.types[name] = t
	return !ok
}

// structure returns a reference to the schema of a struct.
func (s *schemas) structure(t reflect.Type, request bool) object {
	if t.Name() == "" && t.NumField() == 0 {
		return object{{"type", "object"}, {"additionalProperties", false}}
	}
	name := componentName(t)
	if !s.isNew(name, t) {
		if s.requests[name] != request {
			s.t.Errorf("%s is part of a request and of a response, which have other rules for unknown members", name)
		}
		return reference(name)
	}
	s.requests[name] = request
	properties, required := s.fields(t, request)
	out := object{{"type", "object"}}.with("description", s.source.forReaders(s.source.comments[t.String()], jsonNames(t)))
	if len(required) > 0 {
		out = out.with("required", required)
	}
	out = out.with("properties", properties)
	if request {
		out = out.with("additionalProperties", false)
	}
	s.named[name] = out
	return reference(name)
}

// fields returns the members of a struct, and the names of those that are never missing.
func (s *schemas) fields(t reflect.Type, request bool) (properties object, required []string) {
	properties = object{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			inner, needed := s.fields(f.Type, request)
			properties, required = append(properties, inner...), append(required, needed...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			s.t.Errorf("%v.%s has no name in JSON", t, f.Name)
			continue
		}
		schema := s.field(t, f, request)
		if options == "" {
			required = append(required, name)
			if f.Type.Kind() == reflect.Pointer {
				schema = object{{"anyOf", []object{s.of(f.Type.Elem(), request), {{"type", "null"}}}}}
			}
		}
		own := jsonNames(t)
		own[ownName] = f.Name
		comment := s.source.forReaders(s.source.comments[t.String()+"."+f.Name], own)
		schema = schema.with("description", sentence(zeroTime(comment, options)))
		properties = append(properties, member{name, schema})
	}
	return properties, required
}

// jsonNames returns the names of the members of a struct in JSON, by the names of its fields.
func jsonNames(t reflect.Type) map[string]string {
	out := map[string]string{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && !f.Anonymous {
			out[f.Name] = name
		}
	}
	return out
}

// zeroTime replaces the zero time in a comment by its form in JSON.
func zeroTime(comment, options string) string {
	inJSON := "0001-01-01T00:00:00Z:"
	if options != "" {
		inJSON = "missing:"
	}
	return strings.Replace(comment, "zero:", inJSON, 1)
}

// field returns the schema of a field without its description.
func (s *schemas) field(t reflect.Type, f reflect.StructField, request bool) object {
	name := t.String() + "." + f.Name
	if own, ok := fieldSchemas[name]; ok {
		return own
	}
	if own, ok := fieldSchemas[f.Name]; ok && request {
		return own
	}
	if enumeration, ok := fieldTypes[name]; ok {
		return s.of(enumeration, request)
	}
	return s.of(f.Type, request)
}

// addReport adds the usage report, which encodes itself, because the names of its amounts depend
// on the currency.
func (s *schemas) addReport() {
	if !s.isNew("UsageReport", reflect.TypeFor[usage.Report]()) {
		return
	}
	count, money := object{{"type", "integer"}, {"format", "int64"}}, object{{"type", "number"}}
	described := func(o object, text string) object { return o.with("description", text) }
	s.named["UsageReport"] = object{
		{"type", "object"},
		{"description", "The usage of an account in a month. Keys of the account read it at the usage route of the API. The name of an amount depends on the currency: USD is the default."},
		{"required", []string{"period", "total_calls", "total_credits_charged", "plan_source", "subscription_plan", "subscription_status", "operations", "entitlements", "credits", "keys", "refused"}},
		{"properties", object{
			{"period", object{{"type", "string"}, {"pattern", `^\d{4}-\d{2}$`}}},
			{"total_calls", described(count, "Admitted calls.")},
			{"total_credits_charged", count},
			{"total_overage_usd", described(money, "Price of the overage in the default currency.")},
			{"total_overage", described(money, "Price of the overage in another currency.")},
			{"currency", described(object{{"type", "string"}}, "Code of the currency, unless it is the default one.")},
			{"plan_source", object{{"type", "string"}}},
			{"subscription_plan", object{{"type", "string"}}},
			{"subscription_status", object{{"type", "string"}}},
			{"operations", described(object{{"type", "object"}, {"additionalProperties", reference("UsageOperation")}}, "By cost key, without free ones.")},
			{"entitlements", reference("UsageEntitlements")},
			{"credits", s.of(reflect.TypeFor[usage.Credits](), false)},
			{"keys", object{{"type", "array"}, {"items", s.of(reflect.TypeFor[usage.Key](), false)}}},
			{"refused", described(object{{"type", "object"}, {"additionalProperties", count}}, "Rejected calls, by reason.")},
		}},
	}
	s.named["UsageOperation"] = object{
		{"type", "object"},
		{"description", "The usage of one cost key."},
		{"required", []string{"calls", "credits_charged"}},
		{"properties", object{
			{"calls", count},
			{"credits_charged", count},
			{"overage_amount_usd", money},
			{"overage_amount", described(money, "In another currency than the default one.")},
		}},
	}
	s.named["UsageEntitlements"] = object{
		{"type", "object"},
		{"description", "The rights of an account now, not in the reported month. A limit that does not exist is missing."},
		{"required", []string{"api_access_enabled", "rate_limit_per_minute", "included_credits"}},
		{"properties", object{
			{"api_access_enabled", object{{"type", "boolean"}}},
			{"rate_limit_per_minute", count},
			{"rate_limit_per_hour", count},
			{"rate_limit_per_day", count},
			{"concurrent_calls", count},
			{"included_credits", count},
			{"overage_usd_per_credit", money},
			{"overage_per_credit", described(money, "In another currency than the default one.")},
		}},
		{"patternProperties", object{{"_endpoints_enabled$", described(object{{"type", "boolean"}}, "Whether the keys of the account may call an endpoint family that a plan has only with an entitlement.")}}},
	}
}
