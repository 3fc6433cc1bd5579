package doors

// deviation states that a door differs from the gateway in one case.
type deviation struct {
	Why  string // the cause, for readers of the table
	Want *Want  // the outcome at this door; nil: that of the case
	Skip bool   // the door cannot carry the request at all
}

// deviations lists every difference between a door and the gateway: the name of the door,
// then that of the case. The pages in docs/integrations tell users of them.
var deviations = map[string]map[string]deviation{}
