package view

// Plans is the page at /account/plans. Without a UserName in the frame, the person is
// not signed in.
type Plans struct {
	Frame
	Plans []Plan
	// Ask or Action is set if no plan has a link: a sentence, or one link for all plans.
	Ask    string
	Action Link
}

// Plan is an offer on the page of plans.
type Plan struct {
	Name    string
	Current bool // the account has this plan
	// Price is "" if the vendor states none. Per is its unit, such as "a month".
	Price, Per string
	Facts      []Fact
	// Families are the endpoint families of the plan, OnRequest those that an account can
	// get in addition.
	Families, OnRequest []Family
	// Choose leads to buying the plan or asking for it. It is empty without an address.
	Choose Link
}
